"""next_task_rebuild: the tasks of the oldest rebuild that is asked for, in the order of their
ids."""

from __future__ import annotations

from uuid import UUID

from support.sql_calls import Connection, call, new_id, rows_of, task_row


def stored(connection: Connection, template: UUID, count: int) -> list[UUID]:
    """So many tasks of a template, by id."""
    tasks = [new_id() for _ in range(count)]
    call(connection, "upsert_tasks", rows_of(task_row(task, template) for task in tasks))
    return sorted(tasks)


def test_nobody_asked(connection: Connection) -> None:
    assert call(connection, "next_task_rebuild", "money", 10) == []


def test_a_single_task_comes_once_and_then_it_is_over(connection: Connection) -> None:
    task = new_id()
    number = call(connection, "request_tasks_rebuild", "money", task, None)[0]

    assert call(connection, "next_task_rebuild", "money", 10) == [(number, [task])]
    call(connection, "advance_task_rebuild", number, task, 1, None)
    assert call(connection, "next_task_rebuild", "money", 10) == [(number, [])]


def test_the_tasks_of_a_template_come_in_portions(connection: Connection) -> None:
    template = new_id()
    stored(connection, new_id(), 2)
    tasks = stored(connection, template, 3)
    number = call(connection, "request_tasks_rebuild", "money", None, template)[0]

    found = []
    for last in (tasks[1], tasks[2], None):
        found += call(connection, "next_task_rebuild", "money", 2)
        call(connection, "advance_task_rebuild", number, last, 1, None)

    assert found == [(number, tasks[:2]), (number, tasks[2:]), (number, [])]
    assert call(connection, "next_task_rebuild", "money", 2) == []


def test_what_was_asked_first_comes_first(connection: Connection) -> None:
    first, second = new_id(), new_id()
    call(connection, "request_tasks_rebuild", "others", new_id(), None)
    for task in (second, first):
        call(connection, "request_tasks_rebuild", "money", task, None)

    assert call(connection, "next_task_rebuild", "money", 10)[0][1] == [second]
