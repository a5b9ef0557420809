"""ties_to_tables: what was tied to the engine's tables from outside."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call

SHOP = """
    create schema shop;
    create function shop.watch(value text) returns text language sql immutable as 'select value';
"""


def ties(connection: Connection) -> list[tuple[str, str]]:
    return [(subject, field) for subject, field, *_ in call(connection, "ties_to_tables")]


def test_nothing_is_tied_to_tables_as_they_were_made(connection: Connection) -> None:
    assert ties(connection) == []


@pytest.mark.parametrize(
    ("statement", "subject", "field"),
    [
        (
            "create table shop.more () inherits (flowledger.task)",
            "table task",
            "child shop.more",
        ),
        (
            "create table shop.mine (task uuid references flowledger.task on delete restrict)",
            "table task",
            "foreign key mine_task_fkey of shop.mine",
        ),
        (
            "create index more on flowledger.task (shop.watch(state))",
            "table task",
            "index flowledger.more with shop.watch(text)",
        ),
        (
            "create index more on flowledger.task (priority) where shop.watch(state) = ''",
            "table task",
            "index flowledger.more with shop.watch(text)",
        ),
    ],
)
def test_a_tie_is_named(connection: Connection, statement: str, subject: str, field: str) -> None:
    connection.execute(SHOP.encode())
    connection.execute(statement.encode())

    assert ties(connection) == [(subject, field)]


def test_an_index_that_only_finds_rows_is_no_tie(connection: Connection) -> None:
    connection.execute("create index more on flowledger.task (lower(state)) where priority > 2")

    assert ties(connection) == []
