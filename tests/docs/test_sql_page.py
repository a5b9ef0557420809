"""The page on SQL is what the database says, and its examples run for those who may only read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from flowledger.engine.cli.commands.db import db
from flowledger.engine.store.schema.sql_reference_page import Connection, described, sql_reference

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
EXAMPLES = re.findall(r"^```sql\n(.*?)\n```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_is_the_reference(connection: Connection) -> None:
    hint = "run: .venv/bin/flowledger db migrate, then db reference > docs/sql.md"

    assert PAGE.read_text("utf-8") == sql_reference(connection), hint


def test_the_command_prints_the_page(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "FLOWLEDGER_DATABASE__URL", database)

    printed = CliRunner().invoke(db, ["reference"], catch_exceptions=False)

    assert printed.output == PAGE.read_text("utf-8")


def test_everything_says_what_it_is_for_and_how_it_is_used(connection: Connection) -> None:
    found = described(connection)

    assert [one.name for one in found if not one.meaning.endswith(".")] == []
    assert [one.name for one in found if f"flowledger_v1.{one.name}" not in one.example] == []


def test_every_column_of_a_view_has_a_meaning(connection: Connection) -> None:
    columns = [
        (f"{one.name}.{column.name}", column.meaning)
        for one in described(connection)
        if one.kind == "view"
        for column in one.columns
    ]

    assert [name for name, meaning in columns if not meaning.endswith(".")] == []


def test_every_example_runs_for_a_reader(connection: Connection) -> None:
    connection.execute("set role flowledger_reader")

    assert EXAMPLES
    for example in EXAMPLES:
        unknown = "there is no (task|template) " if "0189" in example or "of_" in example else "-"
        try:
            connection.execute(example.encode())
        except psycopg.errors.NoDataFound as error:  # the names are examples too
            assert re.match(unknown, str(error))  # noqa: PT017 - most of them run


def test_a_default_is_shown_as_people_write_it(connection: Connection) -> None:
    connection.execute(
        "create function flowledger_v1.odd(a text default 'x', b uuid[] default null) returns text"
        " language sql immutable return a"
    )

    assert "### odd(a text default 'x', b uuid[] default null)\n" in sql_reference(connection)
