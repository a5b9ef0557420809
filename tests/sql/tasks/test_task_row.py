"""task_row: a task's row, where the coordinator has seen it."""

from __future__ import annotations

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, task_row


def test_a_known_task_is_found_as_it_was_stored(connection: Connection) -> None:
    task, template = new_id(), new_id()
    rows = [
        task_row(task, template, correlation="c", ended_at=NOON, paused=True),
        task_row(new_id(), template),
    ]
    call(connection, "upsert_tasks", rows_of(rows))

    assert call(connection, "task_row", task) == [
        (task, template, "shop", "order", "1", "in_progress", 2, True, 0, "c", NOON, NOON)
    ]


def test_an_unknown_task_has_no_row(connection: Connection) -> None:
    assert call(connection, "task_row", new_id()) == []
