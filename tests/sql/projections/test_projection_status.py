"""projection_status: how far each generation is, why it stands still, whether it is well."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from support.generation_rows import HOST, advance, attend, happen, later, lead, make, park
from support.sql_calls import Connection, call, new_id

PATIENCE = 60.0


def status(connection: Connection, generation: int = 1) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select * from flowledger.projection_status(%s)", (PATIENCE,))
        (found,) = [
            row for row in cursor if (row["name"], row["generation"]) == ("money", generation)
        ]
        return found


def standing(connection: Connection, generation: int = 1) -> tuple[str, bool]:
    found = status(connection, generation)
    return found["standing"], found["healthy"]


def hosted(connection: Connection) -> None:
    """A generation that a host leads for long."""
    make(connection)
    attend(connection)
    call(connection, "acquire_generation_lease", "money", 1, HOST, 36_000.0)


def move(connection: Connection, to: int, generation: int = 1) -> None:
    lease = ("acquire_generation_lease", "money", generation, HOST, 36_000.0)
    epoch, old = call(connection, *lease)[0][:2]
    call(connection, "advance_generation_position", "money", generation, epoch, old, to)


def test_one_that_has_seen_everything_is_caught_up(connection: Connection) -> None:
    hosted(connection)
    move(connection, happen(connection, 3))

    found = status(connection)

    assert (found["standing"], found["healthy"]) == ("caught_up", True)
    assert (found["behind"], found["lag"], found["seconds_left"]) == (0, 0, 0)
    assert (found["host"], found["pid"]) == ("server", 7)


def test_one_that_nobody_leads_has_no_host(connection: Connection) -> None:
    make(connection)

    assert standing(connection) == ("no_host", True)


def test_a_leader_whose_lease_ran_out_is_no_host(connection: Connection) -> None:
    make(connection)
    attend(connection)
    lead(connection)
    later(connection, 61)  # the log tells it: that is one event to be read
    connection.execute("update flowledger.projection set position = 1 where name = 'money'")

    assert standing(connection) == ("no_host", True)
    assert status(connection)["host"] is None


def test_lag_alone_is_no_illness(connection: Connection) -> None:
    hosted(connection)
    last = happen(connection, 3)
    later(connection, 3600)
    move(connection, last - 2)

    found = status(connection)

    assert (found["standing"], found["healthy"]) == ("running", True)
    moved_clock = last + 1
    assert (found["behind"], found["head"]) == (3, moved_clock)
    assert 3600 <= found["lag"] < 3700


def test_the_same_lag_for_long_is_one(connection: Connection) -> None:
    hosted(connection)
    move(connection, happen(connection, 3) - 2)
    later(connection, PATIENCE - 5)
    assert standing(connection) == ("running", True)

    later(connection, 10)

    assert standing(connection) == ("stalled", False)


def test_an_event_that_just_came_after_a_quiet_day_is_no_illness(connection: Connection) -> None:
    hosted(connection)
    move(connection, happen(connection, 1))
    connection.execute("update flowledger.projection set moved_at = moved_at - interval '1 day'")

    happen(connection, 1)

    assert standing(connection) == ("running", True)


def test_one_that_is_paused_is_paused_whoever_leads_it(connection: Connection) -> None:
    make(connection)
    call(connection, "set_projection_paused", "money", True)

    assert standing(connection) == ("paused", False)


def test_one_that_cannot_take_an_event_is_not_well_at_once(connection: Connection) -> None:
    hosted(connection)
    last = happen(connection, 1)
    call(connection, "record_failed_event", "money", 1, 1, last, "broken")

    found = status(connection)

    assert (found["standing"], found["healthy"]) == ("event_failed", False)
    assert (found["failed_position"], found["failure"], found["failures"]) == (last, "broken", 1)


def test_one_that_is_built_says_how_fast_and_how_long(connection: Connection) -> None:
    hosted(connection)
    last = happen(connection, 100)
    move(connection, last)
    make(connection, anew=True)
    later(connection, 10)
    move(connection, last // 2, 2)

    found = status(connection, 2)

    assert (found["standing"], found["healthy"], found["state"]) == ("rebuilding", True, "building")
    assert 0.3 * last / 10 < found["rate"] < 0.6 * last / 10
    assert 8 < found["seconds_left"] < 20


def test_of_one_that_stands_still_nobody_says_how_long(connection: Connection) -> None:
    last = happen(connection, 100)
    hosted(connection)
    later(connection, 10)
    move(connection, last - 50)
    assert status(connection)["seconds_left"] > 0

    call(connection, "set_projection_paused", "money", True)

    assert (status(connection)["standing"], status(connection)["seconds_left"]) == ("paused", None)


def test_how_fast_one_was_in_quiet_days_says_nothing_of_how_long(connection: Connection) -> None:
    hosted(connection)
    later(connection, 86_400)
    move(connection, happen(connection, 10))

    happen(connection, 10)

    assert (status(connection)["standing"], status(connection)["seconds_left"]) == ("running", None)


def test_before_the_first_batch_nobody_knows_how_long(connection: Connection) -> None:
    hosted(connection)
    happen(connection, 5)

    found = status(connection)

    assert (found["rate"], found["seconds_left"]) == (None, None)


def test_events_that_were_put_aside_are_counted_until_they_are_dropped(
    connection: Connection,
) -> None:
    hosted(connection)
    park(connection, 1, 2, task=new_id())
    call(connection, "request_parked_action", "money", "drop", None, 1)
    assert status(connection)["parked"] == 2

    call(connection, "record_parked_outcomes", "money", 1, [1], [], "")

    assert status(connection)["parked"] == 1


def test_what_is_retired_is_not_told_of(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    advance(connection, 0, 2)
    call(connection, "promote_generation", "money", 2, lead(connection, 2))

    rows = call(connection, "projection_status", PATIENCE)

    assert [row[1] for row in rows if row[0] == "money"] == [2]


def test_what_was_skipped_is_counted_apart(connection: Connection) -> None:
    hosted(connection)
    park(connection, 3, 5, 7)
    connection.execute("update flowledger.parked_event set skipped_at = now() where position = 5")

    found = status(connection)

    assert (found["parked"], found["skipped"]) == (2, 1)


def test_places_that_are_none_are_told_without_an_error(connection: Connection) -> None:
    hosted(connection)
    happen(connection, 2)
    connection.execute("alter table flowledger.projection drop constraint projection_counts_check")
    for position, started in ((2**63 - 1, -(2**63)), (-(2**63), 2**63 - 1)):
        connection.execute(
            "update flowledger.projection set position = %s, started_from = %s", (position, started)
        )

        assert status(connection)["behind"] == (0 if position > 0 else status(connection)["head"])
