"""projections_needing_attention: those that stand still, and those that put events aside."""

from __future__ import annotations

from typing import Any

from support.generation_rows import HOST, attend, happen, later, lead, make, park, row
from support.sql_calls import Connection, call


def told(connection: Connection) -> list[tuple[Any, ...]]:
    """What there is to tell, without the times."""
    return [(one[0], one[1], one[3], *one[6:10]) for one in rows(connection)]


def rows(connection: Connection) -> list[Any]:
    """What there is to tell of the one projection that tests make."""
    return [
        one for one in call(connection, "projections_needing_attention", 60.0) if one[0] == "money"
    ]


def hosted(connection: Connection) -> None:
    make(connection)
    attend(connection)
    call(connection, "acquire_generation_lease", "money", 1, HOST, 36_000.0)


def test_one_that_a_host_leads_and_that_comes_on_is_not_told(connection: Connection) -> None:
    hosted(connection)
    happen(connection, 3)

    assert told(connection) == []


def test_one_that_nobody_runs_is_told_with_the_time_at_which_its_lease_ended(
    connection: Connection,
) -> None:
    make(connection)
    assert rows(connection)[0][3:5] == ("no_host", None)
    attend(connection)
    lead(connection)
    later(connection, 100)

    standing, since = rows(connection)[0][3:5]

    assert standing == "no_host"
    assert since == row(connection, "lease_until")


def test_one_that_is_paused_and_one_that_does_not_move_are_told(connection: Connection) -> None:
    hosted(connection)
    happen(connection, 1)
    later(connection, 100)
    assert [one[2] for one in told(connection)] == ["stalled"]

    call(connection, "set_projection_paused", "money", True)

    assert [one[2] for one in told(connection)] == ["paused"]


def test_one_that_fails_at_an_event_says_which_and_since_when(connection: Connection) -> None:
    hosted(connection)
    position = happen(connection, 1)
    epoch = row(connection, "epoch")
    call(connection, "record_failed_event", "money", 1, epoch, position, "no such column")

    assert told(connection) == [("money", 1, "event_failed", position, "no such column", 1, 0)]
    since = rows(connection)[0][4]
    assert since == row(connection, "failed_at")


def test_events_that_were_put_aside_are_told_beside_how_it_stands(connection: Connection) -> None:
    hosted(connection)
    park(connection, 4, 5)
    call(connection, "set_projection_paused", "money", True)

    assert told(connection) == [
        ("money", 1, "parked", 4, "broken", None, 2),
        ("money", 1, "paused", None, None, 0, 2),
    ]


def test_code_that_changed_under_its_version_is_a_row_of_its_own(connection: Connection) -> None:
    make(connection)
    for code in ("one", "two"):
        call(connection, "acquire_generation_lease", "money", 1, HOST, 60.0, code)

    found = call(connection, "projections_needing_attention", 60.0)

    assert [(one[3], one[-1]) for one in found if one[3] == "code_changed"] == [("code_changed", 1)]
