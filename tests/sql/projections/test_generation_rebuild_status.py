"""generation_rebuild_status: how the rebuild of a whole projection stands."""

from __future__ import annotations

import pytest

from support.generation_rows import lead, make
from support.sql_calls import Connection, call


def status(connection: Connection, generation: int, name: str = "money") -> object:
    return call(connection, "generation_rebuild_status", generation, name)


def test_what_is_built_is_asked_for_with_why_it_waits(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)

    assert status(connection, 2) == [("asked", 0, None)]
    connection.execute("update flowledger.projection set failure = 'no' where generation = 2")
    assert status(connection, 2) == [("asked", 0, "no")]


def test_what_serves_is_done_and_so_is_what_a_later_one_took_the_place_of(
    connection: Connection,
) -> None:
    make(connection)
    for generation in (2, 3):
        make(connection, anew=True)
        epoch = lead(connection, generation)
        assert call(connection, "promote_generation", "money", generation, epoch) == [True]
        call(connection, "drop_retired_generations", "money")

    assert [status(connection, number) for number in (2, 3)] == [[("done", 0, None)]] * 2


def test_what_was_given_up_is_cancelled_until_a_later_one_serves(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    call(connection, "cancel_rebuilds", "money")
    call(connection, "drop_retired_generations", "money")

    assert status(connection, 2) == [("cancelled", 0, None)]
    make(connection, anew=True)
    assert status(connection, 2) == [("cancelled", 0, None)]
    call(connection, "promote_generation", "money", 3, lead(connection, 3))
    assert status(connection, 2) == [("done", 0, None)]


@pytest.mark.parametrize(("generation", "name"), [(1, "money"), (3, "money"), (2, "others")])
def test_there_is_none_of_a_number_that_no_rebuild_has(
    connection: Connection, generation: int, name: str
) -> None:
    make(connection)
    make(connection, "others")
    make(connection, anew=True)

    assert status(connection, generation, name) == []
