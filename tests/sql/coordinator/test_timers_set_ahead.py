"""timers_set_ahead: those that a clock set which was ahead, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from support.sql_calls import Connection, Row, append, call, new_id, now, rows_of, timer_row

LIMIT = 2
AHEAD, PAST = timedelta(hours=1), -timedelta(hours=1)


def payload(at: datetime) -> bytes:
    """The head of a payload as the mapper writes it: an id and a time, with nothing after it."""
    micros = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return b"\x01" + bytes(16) + micros.to_bytes(8, "big") + b"{}"


def timer(connection: Connection, *times: timedelta, task: bool = False) -> UUID:
    """A step, or a task as a whole, whose events are of these times, with a timer due late."""
    at = now(connection)
    whose, row = new_id(), timer_row(new_id(), at + 2 * AHEAD)
    row["step_id"] = whose
    if task:
        row |= {"task_id": whose, "step": "", "kind": "deadline"}
    for version, time in enumerate(times, 1):
        event = Row(whose, version, task=row["task_id"], state=payload(at + time))
        append(connection, event)
    call(connection, "upsert_timers", rows_of([row]))
    return whose


def ahead(connection: Connection) -> int:
    (count,) = call(connection, "timers_set_ahead", LIMIT)
    return int(count)


@pytest.mark.parametrize(
    ("times", "task", "counted"),
    [
        ([PAST], False, 0),
        ([PAST, AHEAD], False, 1),
        ([AHEAD], True, 1),
        ([PAST, AHEAD], True, 0),
    ],
    ids=["a step's before", "a step's ahead", "a task's ahead", "a task's before"],
)
def test_a_timer_counts_if_the_event_that_set_it_is_yet_to_come(
    connection: Connection, times: list[timedelta], task: bool, counted: int
) -> None:
    timer(connection, *times, task=task)

    assert ahead(connection) == counted


def test_no_more_are_counted_than_were_asked_for(connection: Connection) -> None:
    for _ in range(LIMIT + 1):
        timer(connection, AHEAD)

    assert ahead(connection) == LIMIT


def test_none_is_counted_that_is_due(connection: Connection) -> None:
    timer(connection, AHEAD)
    call(connection, "advance_test_clock", 3 * AHEAD)

    assert ahead(connection) == 0
