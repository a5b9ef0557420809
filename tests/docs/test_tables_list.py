"""What verify holds tables, views and functions against is what the migrations and files make."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "list_tables.py"))


@pytest.mark.parametrize("name", ["objects.txt", "tables.txt"])
def test_the_list_is_what_the_migrations_and_files_make(database: str, name: str) -> None:
    listed = SCRIPT["listed"](database)

    assert listed[name] == (SCRIPT["SQL"] / name).read_text("utf-8"), (
        "run: python docs/list_tables.py"
    )
