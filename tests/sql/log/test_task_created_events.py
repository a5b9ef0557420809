"""task_created_events: the creation of each task."""

from __future__ import annotations

from flowledger.engine.store.connection.arrays import UuidArray
from support.sql_calls import Connection, Row, append, call, new_id


def test_each_task_gives_its_first_event(connection: Connection) -> None:
    one, two, other = new_id(), new_id(), new_id()
    for task in (one, two, other):
        append(connection, Row(task, 1, "task.created", b"c", task), Row(task, 2, task=task))

    found = call(connection, "task_created_events", UuidArray([one, two, new_id()]))

    assert sorted(found) == [(task, 1, "task.created", b"c", task) for task in sorted((one, two))]


def test_no_tasks_have_no_creation(connection: Connection) -> None:
    assert call(connection, "task_created_events", UuidArray([])) == []
