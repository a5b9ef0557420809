"""log_guard_faults: the guard of the log, the clock, and the order of recording."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, Row, append, call, new_id


def found(connection: Connection) -> list[str]:
    return [field for _, field, *_ in call(connection, "log_guard_faults", 10)]


def test_nothing_is_wrong_with_a_log_that_nobody_touched(connection: Connection) -> None:
    append(connection, Row(new_id()), Row(new_id()))

    assert found(connection) == []


@pytest.mark.parametrize(
    "statement",
    [
        "alter table flowledger.event disable trigger user",
        "drop trigger event_is_append_only on flowledger.event",
        "alter table flowledger.event enable replica trigger event_is_append_only",
        "create or replace trigger event_is_append_only before truncate on flowledger.event"
        " for each statement execute function flowledger.refuse_log_change()",
        "create or replace trigger event_is_append_only"
        " before update or delete or truncate on flowledger.event"
        " for each statement when (false) execute function flowledger.refuse_log_change()",
        "create or replace function flowledger.refuse_log_change() returns trigger"
        " language plpgsql as 'begin return null; end'",
    ],
)
def test_a_guard_that_is_off_is_named(connection: Connection, statement: str) -> None:
    connection.execute(statement.encode())

    assert found(connection) == ["trigger event_is_append_only"]


def test_a_clock_that_was_moved_is_named(connection: Connection) -> None:
    call(connection, "advance_test_clock", "1 hour")

    assert found(connection) == ["shift"]


def test_events_that_were_recorded_before_the_one_in_front_are_named(
    connection: Connection,
) -> None:
    append(connection, Row(new_id()))
    (position,) = append(connection, Row(new_id()))
    connection.execute("alter table flowledger.event disable trigger user")
    connection.execute(
        "update flowledger.event set recorded_at = recorded_at - interval '1 s'"
        " where notification_id = %s",
        (position,),
    )
    connection.execute("alter table flowledger.event enable trigger user")

    ((subject, field, *_),) = call(connection, "log_guard_faults", 10)
    assert (subject, field) == (f"position {position}", "recorded_at")
