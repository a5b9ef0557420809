"""retry_parked_tasks_of_shard: what the leader before left alone."""

from __future__ import annotations

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, call, new_id, table


def test_a_new_leader_is_to_try_all_parked_tasks_of_its_shard(connection: Connection) -> None:
    tasks = [new_id() for _ in range(6)]
    mine = {task for task in tasks if shard_of(task, 2) == 1}
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, tasks, ["it"] * 6)

    assert set(call(connection, "retry_parked_tasks_of_shard", 1, 2)) == mine

    assert {
        task for task, wanted in table(connection, "parked_task", "task_id", "wanted") if wanted
    } == mine


def test_where_there_is_one_shard_all_are_its_own(connection: Connection) -> None:
    task = new_id()
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, [task], ["it"])

    assert call(connection, "retry_parked_tasks_of_shard", 0, 1) == [task]
