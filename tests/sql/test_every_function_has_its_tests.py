"""A function of the schema is a file, with a contract on top and a file of tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.sql_calls import Connection

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "sql" / "functions").rglob("*.sql"))
VOLATILITY = re.compile(r"^(volatile|stable|immutable|returns trigger)$", re.MULTILINE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_function_has_a_file_of_tests(file: Path) -> None:
    assert (ROOT / "tests" / "sql" / file.parent.name / f"test_{file.stem}.py").exists()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_function_says_what_it_does_and_how_volatile_it_is(file: Path) -> None:
    text = file.read_text("utf-8")

    assert text.startswith("-- ")
    assert f"create or replace function flowledger.{file.stem}(" in text
    assert VOLATILITY.search(text)


def test_every_function_of_the_schema_has_a_file(connection: Connection) -> None:
    found = connection.execute(
        "select distinct proname from pg_proc where pronamespace = 'flowledger'::regnamespace"
    ).fetchall()

    assert {name for (name,) in found} == {file.stem for file in FILES}
