"""parked_tasks_summary: how many tasks are left alone, since when, and why the first one is."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, new_id, rows_of, task_row


def test_those_that_were_taken_on_are_told_apart_from_those_that_were_not(
    connection: Connection,
) -> None:
    known, first, second = new_id(), new_id(), new_id()
    call(connection, "upsert_tasks", rows_of([task_row(known, new_id())]))
    call(connection, "acquire_shard_lease", 0, new_id(), 36_000.0)
    call(connection, "park_tasks", 0, 1, 0, [known], ["its template"])
    call(connection, "park_tasks", 0, 1, 0, [first], ["its bytes"])
    call(connection, "advance_test_clock", timedelta(minutes=1))
    call(connection, "park_tasks", 0, 1, 0, [second], ["another"])

    taken_on, submitted = call(connection, "parked_tasks_summary")

    assert (*taken_on[:2], *taken_on[3:]) == (True, 1, known, "its template")
    assert (*submitted[:2], *submitted[3:]) == (False, 2, first, "its bytes")
    assert submitted[2] == call(connection, "parked_task_details", first)[0][1]


def test_where_nothing_is_parked_there_is_no_row(connection: Connection) -> None:
    assert call(connection, "parked_tasks_summary") == []
