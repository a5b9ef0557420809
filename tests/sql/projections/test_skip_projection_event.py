"""skip_projection_event: a generation passes over the event at which it stands, and no other."""

from __future__ import annotations

import psycopg
import pytest

from support.generation_rows import HOST, advance, happen, lead, make, park, row
from support.sql_calls import Connection, Row, append, call, heard, new_id, table

TASK = new_id()


@pytest.fixture
def place(connection: Connection) -> int:
    """Where the only generation stands: at an event of a task."""
    make(connection)
    advance(connection, happen(connection, 2))
    (place,) = append(connection, Row(new_id(), task=TASK))
    fail(connection, place)
    return place


def fail(connection: Connection, place: int, generation: int = 1) -> None:
    epoch = lead(connection, generation)
    call(connection, "record_failed_event", "money", generation, epoch, place, "broken")


def test_it_goes_on_behind_the_event_in_a_new_epoch(connection: Connection, place: int) -> None:
    before = row(connection, "epoch")

    assert call(connection, "skip_projection_event", "money", place) == [
        (1, TASK, "step.started", "broken")
    ]

    columns = ("position", "epoch", "failed_position", "failure", "failed_at", "failures")
    assert row(connection, *columns) == (place, before + 1, None, None, None, 0)


def test_the_event_is_put_aside_as_skipped(connection: Connection, place: int) -> None:
    call(connection, "skip_projection_event", "money", place)

    (found,) = call(connection, "parked_events", "money")
    assert found[:5] == (1, place, TASK, "step.started", "broken")
    assert found[-1] is not None
    assert call(connection, "unapplied_event_positions", "money", 1) == [place]


def test_who_was_about_to_store_the_event_does_not(connection: Connection, place: int) -> None:
    epoch, old = call(connection, "acquire_generation_lease", "money", 1, HOST, 60.0)[0][:2]
    call(connection, "skip_projection_event", "money", place)

    with pytest.raises(psycopg.DatabaseError) as refused:
        call(connection, "advance_generation_position", "money", 1, epoch, old, place)

    assert refused.value.sqlstate == "FL002"


@pytest.mark.parametrize("beside", [-1, 1])
def test_at_another_event_it_is_refused_with_the_place(
    connection: Connection, place: int, beside: int
) -> None:
    with pytest.raises(psycopg.DatabaseError, match=rf"generation 1 stands at {place}") as refused:
        call(connection, "skip_projection_event", "money", place + beside)

    assert refused.value.sqlstate == "FL008"


def test_one_that_stands_nowhere_passes_over_nothing(connection: Connection) -> None:
    make(connection)
    place = happen(connection, 1)

    with pytest.raises(psycopg.DatabaseError, match="generation 1 is at 0 and stands at no event"):
        call(connection, "skip_projection_event", "money", place)


def test_one_that_waits_for_something_else_than_an_event_passes_over_nothing(
    connection: Connection,
) -> None:
    make(connection)
    place = happen(connection, 1)
    advance(connection, place)
    fail(connection, place)

    with pytest.raises(psycopg.DatabaseError, match="what it waits for is no event: broken"):
        call(connection, "skip_projection_event", "money", place)


def test_what_is_built_passes_over_an_event_too(connection: Connection, place: int) -> None:
    make(connection, anew=True)
    fail(connection, place - 1, 2)

    call(connection, "skip_projection_event", "money", place - 1)

    assert row(connection, "position", generation=2) == place - 1
    assert row(connection, "failed_position") == place
    assert [found[:2] for found in call(connection, "parked_events", "money")] == [(2, place - 1)]


def test_there_is_none_of_the_name(connection: Connection, place: int) -> None:
    assert call(connection, "skip_projection_event", "nobody", place) == []


def test_what_was_parked_there_is_skipped(connection: Connection, place: int) -> None:
    park(connection, place)

    call(connection, "skip_projection_event", "money", place)

    assert None not in table(connection, "parked_event", "skipped_at")


def test_the_hosts_are_told(connection: Connection, other: Connection, place: int) -> None:
    connection.commit()

    told = heard(connection, "projection", other, "skip_projection_event", "money", place)

    assert told == ["money"]


def test_an_epoch_that_is_as_high_as_can_be_begins_anew(connection: Connection, place: int) -> None:
    connection.execute("update flowledger.projection set epoch = 1000000000000")

    call(connection, "skip_projection_event", "money", place)

    assert row(connection, "epoch") == 1
