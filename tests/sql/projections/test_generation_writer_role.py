"""generation_writer_role: by whom the tables of a generation are written."""

from __future__ import annotations

from support.generation_rows import make
from support.sql_calls import Connection, call


def test_it_is_the_projections_own_or_the_engines(connection: Connection) -> None:
    make(connection, "money", own_role=True)
    make(connection, "others", own_role=False)

    own = call(connection, "ensure_projection_role", "money")
    assert call(connection, "generation_writer_role", "money", 1) == own
    assert call(connection, "generation_writer_role", "others", 1) == [None]


def test_the_generations_of_a_projection_have_one(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)

    assert call(connection, "generation_writer_role", "money", 1) == call(
        connection, "generation_writer_role", "money", 2
    )
