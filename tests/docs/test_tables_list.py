"""What verify holds tables against is what the migrations make."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "list_tables.py"))


def test_the_list_of_tables_is_what_the_migrations_make(database: str) -> None:
    listed = SCRIPT["listed"](database)

    assert listed == SCRIPT["LIST"].read_text("utf-8"), "run: python docs/list_tables.py"
