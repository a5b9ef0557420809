"""shard_position_of_task: how far the coordinator of a task has come."""

from __future__ import annotations

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, Row, append, call, new_id


def test_the_position_is_the_stored_one(connection: Connection) -> None:
    task = new_id()
    assert call(connection, "shard_position_of_task", task) == [0]
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)

    call(connection, "advance_shard_position", 0, 1, 0, 71, 60.0)

    assert call(connection, "shard_position_of_task", task) == [71]


def test_of_several_shards_the_tasks_own_counts(connection: Connection) -> None:
    call(connection, "set_shard_count", 3, [])
    connection.execute("update flowledger.shard set position = 10 * shard + 1")

    for task in [new_id() for _ in range(6)]:
        assert call(connection, "shard_position_of_task", task) == [10 * shard_of(task, 3) + 1]


def test_without_a_shard_nothing_was_decided(connection: Connection) -> None:
    connection.execute("delete from flowledger.shard")

    assert call(connection, "shard_position_of_task", new_id()) == [0]


def test_of_a_task_that_was_left_behind_it_is_where_that_was(connection: Connection) -> None:
    tasks = [new_id() for _ in range(2)]
    first, second = append(
        connection, *(Row(task, 1, "task.created", b"{}", task) for task in tasks)
    )
    connection.execute(
        "update flowledger.shard set position = %s, created_from = %s", (second + 5, first)
    )

    found = [call(connection, "shard_position_of_task", task) for task in tasks]

    assert found == [[second + 5], [first]]
