"""parked_task_details: why a task is left alone."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id


def test_a_parked_task_has_a_reason_and_a_time(connection: Connection) -> None:
    task = new_id()
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, [task], ["it"])

    ((reason, parked, tried, wanted),) = call(connection, "parked_task_details", task)

    assert (reason, wanted) == ("it", False)
    assert parked == tried


def test_of_another_task_there_is_nothing(connection: Connection) -> None:
    assert call(connection, "parked_task_details", new_id()) == []
