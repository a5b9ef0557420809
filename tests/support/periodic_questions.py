"""The table of `docs/operations.md` with what is asked again and again."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/operations.md"
HEADING = "## What it asks when nothing happens"
KEY, FUNCTIONS, LATE = 3, 4, 5
"""Columns of it."""


def periodic_rows() -> list[list[str]]:
    """The cells of the table's rows."""
    page = PAGE.read_text(encoding="utf-8")
    lines = page.split(HEADING)[1].split("\n## ")[0].splitlines()
    return [line.strip("|").split("|") for line in lines if line.startswith("| ")][1:]


def named(column: int) -> set[str]:
    """What stands between backquotes in a column."""
    return {name for row in periodic_rows() for name in re.findall(r"`([\w.]+)`", row[column])}


def periodic_functions() -> set[str]:
    """The functions of the schema that are called again and again."""
    return named(FUNCTIONS)


def functions(statements: str) -> set[str]:
    """The functions of the schema that statements call, but for the one that tells the time."""
    return set(re.findall(r"flowledger\.(\w+)\s*\(", statements)) - {"clock"}
