"""serving_position: where the generation is that serves."""

from __future__ import annotations

from support.generation_rows import advance, make
from support.sql_calls import Connection, call


def test_it_is_that_of_what_serves_not_of_what_is_built(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    advance(connection, 7)
    advance(connection, 3, 2)

    assert call(connection, "serving_position", "money") == [7]


def test_there_is_none_of_the_name(connection: Connection) -> None:
    assert call(connection, "serving_position", "money") == [None]
