"""step_rows: the rows of a task's steps."""

from __future__ import annotations

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, step_row


def test_a_tasks_steps_are_found_and_no_others(connection: Connection) -> None:
    task = new_id()
    rows = [
        step_row(task, "a", state="complete", attempt=1, version=3),
        step_row(task, "b", state="waiting_for_retry", attempt=2, version=6, due_at=NOON),
        step_row(new_id(), "c"),
    ]
    call(connection, "upsert_steps", rows_of(rows))

    assert sorted(call(connection, "step_rows", task)) == [
        ("a", "complete", 1, 3, None),
        ("b", "waiting_for_retry", 2, 6, NOON),
    ]
