"""The table of what is asked again and again has all of it, with keys that there are."""

from __future__ import annotations

import re

from flowledger.engine.config import Settings
from support.periodic_questions import KEY, LATE, PAGE, named, periodic_functions, periodic_rows

PERIODS = re.compile(r"(poll|lease|heartbeat|reconcile|ping|silence)_seconds$")


def test_each_key_of_a_period_is_in_the_table_and_no_other() -> None:
    sections = Settings.model_fields
    keys = {
        f"{section}.{key}"
        for section, field in sections.items()
        for key in getattr(field.annotation, "model_fields", {})
        if PERIODS.search(key)
    }

    others = {"worker.lease_margin_seconds", "database.statement_timeout_seconds"}
    assert keys | others == named(KEY)


def test_each_function_of_the_table_is_one_of_the_schema() -> None:
    files = {path.stem for path in (PAGE.parents[1] / "sql/functions").rglob("*.sql")}

    assert periodic_functions()
    assert periodic_functions() <= files


def test_each_row_says_what_follows_where_it_is_late() -> None:
    assert all(row[LATE].strip() for row in periodic_rows())
