"""tasks_that_begin_before: whose turn is before a task's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, task_row

TEMPLATE = new_id()


def waiting(connection: Connection, age: int, priority: int = 0, **changed: object) -> object:
    """A pending task, created so many seconds after noon."""
    task, created_at = new_id(), NOON + timedelta(seconds=age)
    values = {"state": "pending", "created_at": created_at, "priority": priority, **changed}
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE, **values)]))
    return task


def test_the_older_and_the_more_urgent_come_before(connection: Connection) -> None:
    low, last, first = (waiting(connection, *one) for one in ((0, -1), (9, 0), (1, 0)))
    urgent = waiting(connection, 50, 1)
    waiting(connection, 0, paused=True)
    waiting(connection, 0, template_id=new_id())

    def before(task: object, most: int = 10) -> object:
        (found,) = call(connection, "tasks_that_begin_before", task, most)
        return found

    assert [before(task) for task in (urgent, first, last, low)] == [0, 1, 2, 3]
    assert before(low, 2) == 2


def test_of_tasks_that_take_turns_only_those_of_its_key_do(connection: Connection) -> None:
    waiting(connection, 0)
    waiting(connection, 0, fairness_key="1")
    waiting(connection, 0, 1, fairness_key="1")
    waiting(connection, 0, fairness_key="2")
    task = waiting(connection, 9, fairness_key="2")

    assert call(connection, "tasks_that_begin_before", task, 10) == [2]


@pytest.mark.parametrize("changed", [{"state": "in_progress"}, {"paused": True}])
def test_who_has_begun_or_is_paused_waits_for_nobody(
    connection: Connection, changed: dict[str, object]
) -> None:
    task = waiting(connection, 0, **changed)

    assert call(connection, "tasks_that_begin_before", task, 10) == [None]
