"""flowledger_v1.slowest_tasks: the tasks that took longest."""

from __future__ import annotations

from datetime import timedelta

from support.read_model_rows import called, task_row
from support.sql_calls import Connection


def took(connection: Connection, *arguments: object, **named: object) -> list[float]:
    rows = called(connection, "slowest_tasks", *arguments, **named)
    return [row["task_seconds"] for row in rows]


def test_the_slowest_are_first_and_as_many_as_are_asked_for(connection: Connection) -> None:
    tasks = {seconds: task_row(connection, seconds) for seconds in (3, 1, 4, 9)}

    assert took(connection) == [9, 4, 3, 1]
    assert took(connection, timedelta(hours=1), 2) == [9, 4]
    assert called(connection, "slowest_tasks")[0]["task_id"] == str(tasks[9])


def test_a_task_that_has_not_ended_is_left_out(connection: Connection) -> None:
    task_row(connection, 5, ended_at=None, state="in_progress")
    task_row(connection, 4, state="error")

    assert [row["state"] for row in called(connection, "slowest_tasks")] == ["error"]


def test_it_can_be_asked_of_a_time_and_a_template(connection: Connection) -> None:
    task_row(connection, 1, ago=70)
    task_row(connection, 2, version="2")
    task_row(connection, 3, namespace="bank", template="loan")

    assert took(connection, timedelta(hours=1)) == [3, 2]
    assert took(connection, of_namespace="shop") == [2, 1]
    assert took(connection, of_template="loan") == [3]
    assert took(connection, of_version="2") == [2]
