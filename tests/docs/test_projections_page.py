"""The page on projections: its example runs, its test passes, its tables are complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest

from flowledger.engine.config import KNOWN
from flowledger.engine.errors import InvalidProjection
from flowledger.engine.ports.projection_admin import Standing
from flowledger.handlers import Workflow
from flowledger.projections import OnError
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.testing import Case
from support.cli import PATIENCE, Command
from support.engines import EngineHarness, harness
from support.readme_orders import ORDERS

__all__ = ["harness"]

PAGE = (Path(__file__).parents[2] / "docs" / "projections.md").read_text("utf-8")
SPEND, EXAMPLE, BATCHED, REBUILD, TEST = re.findall(
    r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)


MORE = """
    @on(TaskCompleted)
    def one(self, event: TaskCompleted, cursor: Cursor) -> None: ...
"""
flow = Workflow("shop", "ending", version="1")


@flow.step
def only() -> int:
    return 1


def rows_of_the_table(first_column: str) -> set[str]:
    table = PAGE.partition(f"| {first_column} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `\"?(\w+)\"?`", table, re.MULTILINE))


def printed(command: Command, example: str) -> str:
    """What an example of the page prints, or why it did not end."""
    done = subprocess.run(  # noqa: S603 - our own page
        [sys.executable, "-W", "error", "-c", example],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout or done.stderr


def test_the_example_prints_what_was_spent(command: Command) -> None:
    command.write("orders.py", ORDERS)
    command.write("spend.py", SPEND)

    assert printed(command, EXAMPLE) == "[('everybody', 1999)]\n"


def test_the_example_of_batches_has_every_ending_once(harness: EngineHarness) -> None:
    names: dict[str, Any] = {"__name__": "endings"}
    exec(BATCHED, names)  # noqa: S102 - our own page
    engine = harness.open(flow, projections=[names["Endings"]])
    tasks = engine.submit_many(flow, [{}] * 3)
    for task in tasks:
        task.result(PATIENCE)
    engine.projections.wait_for("endings", timeout=PATIENCE)

    ended = [task.history()[-1] for task in tasks]
    rows = harness.rows("select task_id, at, position from endings.ending")
    assert sorted(rows) == sorted(
        (one.event.task_id, one.recorded_at, one.position) for one in ended
    )


def test_the_page_says_that_both_kinds_of_methods_do_not_mix() -> None:
    both = BATCHED.replace("on_batch\n", "on, on_batch\n") + MORE

    assert "A class has methods of `@on` or of `@on_batch`, not of both" in PAGE
    with pytest.raises(InvalidProjection, match="@on and @on_batch do not mix"):
        exec(both, {"__name__": "endings"})  # noqa: S102 - our own page


def test_the_example_of_a_rebuild_waits_until_it_serves(command: Command) -> None:
    command.write("orders.py", ORDERS)
    command.write("spend.py", SPEND)

    assert printed(command, REBUILD) == "generation 2 done\n"


def test_the_test_of_the_page_passes(command: Command) -> None:
    command.write("orders.py", ORDERS)
    command.write("spend.py", SPEND)
    command.write("test_spend.py", TEST)
    command.environment["PYTHONPATH"] = str(command.folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_spend.py"],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_every_policy_is_described() -> None:
    assert rows_of_the_table("`on_error`") == set(get_args(OnError))


def test_every_standing_is_described() -> None:
    assert rows_of_the_table("standing") == set(get_args(Standing))


def test_every_model_of_the_engine_is_listed() -> None:
    assert rows_of_the_table("name") == {"step_readiness", *(model.name for model in BUILTIN)}


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"`projections\.([a-z_]+)[`:]", PAGE))

    assert len(named) > 3
    assert named - set(KNOWN["projections"]) == set()


def test_the_rows_of_the_kit_come_and_go(connection: psycopg.Connection, database: str) -> None:
    for model in BUILTIN:
        assert set(Case(model, database).tables([])), model.name
    left = connection.execute("select nspname from pg_namespace where nspname like '%try%'")

    assert left.fetchall() == []
