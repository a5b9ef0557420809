"""open_tasks_by_template: how many tasks of each template have not ended."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id, now, rows_of, task_row


def test_those_that_have_ended_are_left_out(connection: Connection) -> None:
    rows = [task_row(new_id(), new_id()) for _ in range(2)]
    ended = task_row(new_id(), new_id(), state="complete", ended_at=now(connection))
    call(connection, "upsert_tasks", rows_of([*rows, ended]))

    ((_, _, _, tasks),) = call(connection, "open_tasks_by_template")

    assert tasks == 2
