"""record_failed_event: what a generation could not take is told, by its leader only."""

from __future__ import annotations

from support.generation_rows import later, lead, make, row
from support.sql_calls import Connection, call, now


def test_the_place_and_the_reason_are_noted_and_attempts_counted(connection: Connection) -> None:
    make(connection)
    epoch, began = lead(connection), now(connection)
    call(connection, "record_failed_event", "money", 1, epoch, 7, "broken")
    later(connection, 60)

    call(connection, "record_failed_event", "money", 1, epoch, 7, "broken again")

    noted = row(connection, "failed_position", "failure", "failures")
    assert noted == (7, "broken again", 2)
    assert (row(connection, "failed_at") - began).total_seconds() < 30


def test_who_does_not_lead_says_nothing(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)

    call(connection, "record_failed_event", "money", 1, epoch - 1, 7, "broken")

    assert row(connection, "failed_position", "failures") == (None, 0)


def test_what_failed_as_often_as_can_be_counted_can_fail_again(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)
    connection.execute("update flowledger.projection set failures = 1000000000")

    call(connection, "record_failed_event", "money", 1, epoch, 7, "broken")

    assert row(connection, "failures") == 500_000_001
