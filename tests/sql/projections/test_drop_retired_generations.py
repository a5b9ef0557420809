"""drop_retired_generations: the tables of generations that are done with go."""

from __future__ import annotations

from support.generation_rows import advance, lead, make, park, row, schemas
from support.sql_calls import Connection, Others, call, table


def swapped(connection: Connection) -> None:
    """The second generation serves, and the first is retired."""
    make(connection)
    park(connection, 1)
    make(connection, anew=True)
    call(connection, "promote_generation", "money", 2, lead(connection, 2))


def test_what_is_retired_goes_with_its_rows(connection: Connection) -> None:
    swapped(connection)
    park(connection, 1, generation=2)

    assert call(connection, "drop_retired_generations", "money") == [1]
    assert schemas(connection) == ["money", "money__2"]
    assert row(connection, "state") is None
    assert table(connection, "parked_event", "generation") == [2]


def test_what_serves_and_what_is_built_stays(connection: Connection) -> None:
    swapped(connection)
    make(connection, anew=True)
    advance(connection, 5, 3)

    call(connection, "drop_retired_generations", "money")

    assert schemas(connection) == ["money", "money__2", "money__3"]


def test_again_it_drops_nothing(connection: Connection) -> None:
    swapped(connection)
    call(connection, "drop_retired_generations", "money")

    assert call(connection, "drop_retired_generations", "money") == [0]


def test_the_tables_of_a_rebuild_that_was_cancelled_go_and_its_number_stays_taken(
    connection: Connection,
) -> None:
    make(connection)
    make(connection, anew=True)
    call(connection, "cancel_rebuilds", "money")

    call(connection, "drop_retired_generations", "money")

    assert schemas(connection) == ["money", "money__1"]
    assert make(connection, anew=True) == 3


def test_what_somebody_reads_stays_for_the_next_time(
    connection: Connection, others: Others
) -> None:
    swapped(connection)
    with others.begin() as reader:
        reader.execute("select * from money__1.spend")
        assert call(connection, "drop_retired_generations", "money") == [0]

    assert call(connection, "drop_retired_generations", "money") == [1]
