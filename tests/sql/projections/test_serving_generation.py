"""serving_generation: which generation of a projection is read, and how far it is."""

from __future__ import annotations

from support.generation_rows import advance, make
from support.sql_calls import Connection, call


def test_the_generation_that_serves_is_told_and_not_the_one_that_is_built(
    connection: Connection,
) -> None:
    make(connection)
    advance(connection, 7)
    make(connection, version=2)

    assert call(connection, "serving_generation", "money") == [(1, 1, 7)]


def test_where_none_serves_there_is_no_row(connection: Connection) -> None:
    assert call(connection, "serving_generation", "money") == []
