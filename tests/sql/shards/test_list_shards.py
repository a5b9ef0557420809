"""list_shards: what an operator sees."""

from __future__ import annotations

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, Row, append, call, new_id

FACT = "step.completed"
ONE = new_id()


def test_a_shard_is_told_with_its_leader_and_with_what_is_left_to_do(
    connection: Connection,
) -> None:
    call(connection, "set_shard_count", 2, [FACT])
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    call(connection, "acquire_shard_lease", 1, ONE, 60.0, 2)
    tasks = [new_id() for _ in range(6)]
    positions = append(connection, *(Row(new_id(), 1, FACT, task=task) for task in tasks))
    append(connection, *(Row(new_id(), 1, "step.enqueued", task=task) for task in tasks))
    call(connection, "advance_shard_position", 1, 1, 0, positions[3], 60.0)

    first, second = call(connection, "list_shards", [FACT])

    assert first == (0, None, None, None, 0, 0, 3, first[7])
    assert second[:6] == (1, ONE, "here", 71, 1, positions[3])
    assert second[6] == sum(shard_of(task, 2) == 1 for task in tasks[4:])
    assert first[7] <= 0 < second[7] <= 60


def test_a_leader_that_is_not_registered_has_no_place(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)

    assert call(connection, "list_shards", [FACT])[0][:4] == (0, ONE, None, None)
