"""delete_parked_tasks: tasks that go on."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id, table

TASK, OTHER = new_id(), new_id()


def test_the_rows_of_tasks_that_go_on_are_gone(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, [TASK, OTHER], ["one", "two"])

    call(connection, "delete_parked_tasks", 0, 1, [TASK])

    assert table(connection, "parked_task", "task_id") == [OTHER]


def test_who_leads_no_longer_changes_nothing(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, [TASK], ["one"])

    call(connection, "delete_parked_tasks", 0, 0, [TASK])

    assert table(connection, "parked_task", "task_id") == [TASK]
