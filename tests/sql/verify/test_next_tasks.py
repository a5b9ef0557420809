"""next_tasks: every task that is known anywhere, in order, some at a time."""

from __future__ import annotations

from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.sql_calls import Connection, Row, append, call, new_id, rows_of, step_row, task_row

NO_ID = UUID(int=0)


def test_tasks_come_in_order_whatever_knows_of_them(connection: Connection) -> None:
    logged, stored, stepped = (uuid7(time, 7) for time in (1, 2, 3))
    append(connection, Row(logged, 1, "task.created", task=logged), Row(step_id(logged, "a"), 1))
    call(connection, "upsert_tasks", rows_of([task_row(stored, new_id())]))
    call(connection, "upsert_steps", rows_of([step_row(stepped, "a"), step_row(stepped, "b")]))

    assert call(connection, "next_tasks", NO_ID, 10) == [(logged, 2), (stored, 0), (stepped, 0)]
    assert call(connection, "next_tasks", logged, 1) == [(stored, 0)]
    assert call(connection, "next_tasks", stepped, 10) == []


def test_a_task_that_several_know_comes_once(connection: Connection) -> None:
    task = new_id()
    append(connection, Row(task, 1, "task.created", task=task))
    call(connection, "upsert_tasks", rows_of([task_row(task, new_id())]))
    call(connection, "upsert_steps", rows_of([step_row(task)]))

    assert call(connection, "next_tasks", NO_ID, 10) == [(task, 1)]


def test_templates_are_no_tasks(connection: Connection) -> None:
    append(connection, Row(new_id(), 1, "template.registered"))

    assert call(connection, "next_tasks", NO_ID, 10) == []
