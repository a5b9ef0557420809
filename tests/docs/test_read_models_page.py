"""The page on the built-in read models names their tables, and the reasons that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowledger.projections.builtin import BUILTIN, analytics

PAGE = (Path(__file__).parents[2] / "docs" / "read_models.md").read_text("utf-8")


def rows(heading: str) -> Iterator[list[str]]:
    """The rows of the table under a heading, by their cells."""
    table = PAGE.split(f"| {heading} |")[1].split("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_table_of_every_model_is_named() -> None:
    named = {
        (model.strip("`"), table)
        for model, tables, _ in rows("projection")
        for table in re.findall(r"`(\w+)`", tables)
    }

    assert named == {
        (kind.name, table)
        for kind in BUILTIN
        for table in re.findall(r"create table \{schema\}\.(\w+)", kind.tables)
    }


def test_every_reason_is_named() -> None:
    source = Path(analytics.__file__).read_text("utf-8")
    told = re.findall(r'times\.blocked\(\s*"(\w+)"', source)
    told += re.findall(r'_is_over\(task, "(\w+)"', source)

    assert {reason.strip("`") for reason, *_ in rows("reason")} == {
        *told,
        *analytics.WAITED_FOR.values(),
    }
