"""The page on explanations: it has every kind, in their order, and every field of a reason."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields
from pathlib import Path

from flowledger.engine.domain.explain.reasons import Reason, ReasonKind
from support.cli import PATIENCE, Command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explain.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


def block(text: str, language: str) -> str:
    """The first block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_commands_run(command: Command) -> None:
    command.write("orders.py", block(README, "python"))
    command.put_on_path()

    done = subprocess.run(  # noqa: S603 - what the page tells to run
        ["bash", "-euo", "pipefail", "-c", block(PAGE, "sh")],  # noqa: S607
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "submitted; a coordinator must run to take it on" not in done.stdout
    assert "no coordinator leads shard 0" in done.stdout


def first_cells(heading: str) -> list[str]:
    """The first cell of each row of the table behind the words."""
    table = PAGE[PAGE.index(heading) :].split("\n\n")[0].splitlines()
    return [found[1] for row in table if (found := re.match(r"\| `(\w+)` \|", row))]


def test_every_kind_is_on_the_page_in_the_order_of_explanations() -> None:
    assert first_cells("| kind | so |") == [kind.value for kind in ReasonKind]


def test_every_field_of_a_reason_is_on_the_page() -> None:
    assert set(first_cells("| a reason's | is |")) == {field.name for field in fields(Reason)}
