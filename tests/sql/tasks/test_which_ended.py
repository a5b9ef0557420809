"""which_ended: those of the tasks that have ended."""

from __future__ import annotations

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, task_row


def test_only_those_asked_for_that_ended_are_told(connection: Connection) -> None:
    ended, running, other, template = (new_id() for _ in range(4))
    rows = [
        task_row(ended, template, ended_at=NOON),
        task_row(running, template),
        task_row(other, template, ended_at=NOON),
    ]
    call(connection, "upsert_tasks", rows_of(rows))

    assert call(connection, "which_ended", [ended, running, new_id()]) == [ended]
    assert call(connection, "which_ended", []) == []
