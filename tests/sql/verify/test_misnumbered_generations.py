"""misnumbered_generations: what serves by a number that its tables do not have."""

from __future__ import annotations

import pytest

from support.generation_rows import make
from support.sql_calls import Connection, call


def test_nothing_is_misnumbered_where_all_have_their_tables(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)

    assert call(connection, "misnumbered_generations") == []


@pytest.mark.parametrize("number", [5, 0, -1, 2**31 - 1])
def test_the_only_tables_that_have_no_row_are_those_of_the_row(
    connection: Connection, number: int
) -> None:
    make(connection, "other")
    make(connection)
    connection.execute(
        "update flowledger.projection set generation = %s where name = 'money'", (number,)
    )

    assert call(connection, "misnumbered_generations") == [("money", number, 1)]


def test_where_several_may_be_it_nobody_knows(connection: Connection) -> None:
    make(connection)
    for odd in ("money__2", "money__02", "money__x", "money__99999999999", "moneyx__3"):
        connection.execute(f"create schema {odd}".encode())
    connection.execute("update flowledger.projection set generation = 7 where name = 'money'")

    assert call(connection, "misnumbered_generations") == [("money", 7, None)]


def test_tables_that_have_a_row_of_their_own_are_not_anothers(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)
    connection.execute("drop schema money__1 cascade")

    assert call(connection, "misnumbered_generations") == [("money", 1, None)]
