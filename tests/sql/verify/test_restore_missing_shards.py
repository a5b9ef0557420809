"""restore_missing_shards: rows beyond the log, which nobody leads until their position is right."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id, table


def test_only_what_is_gone_is_made_with_an_epoch_behind_all_others(connection: Connection) -> None:
    call(connection, "set_shard_count", 3, [])
    connection.execute("update flowledger.shard set epoch = 7, position = 5 where shard = 0")
    connection.execute("delete from flowledger.shard where shard = 1")

    assert call(connection, "restore_missing_shards") == [1]

    made = {row[0]: row[1:] for row in table(connection, "shard", "shard", "shards", "epoch")}
    assert made == {0: (3, 7), 1: (3, 8), 2: (3, 0)}
    assert call(connection, "restore_missing_shards") == [0]


def test_nobody_leads_it_until_its_position_is_right(connection: Connection) -> None:
    (end,) = append(connection, Row(task := new_id(), 1, "task.created", task=task))
    connection.execute("delete from flowledger.shard")
    call(connection, "restore_missing_shards")
    (found,) = table(connection, "shard", "position")
    assert found > end
    assert call(connection, "acquire_shard_lease", 0, new_id(), 30.0) == []

    assert call(connection, "repair_shard_positions", [0], [found], [0]) == [1]

    assert call(connection, "acquire_shard_lease", 0, new_id(), 30.0)
    assert table(connection, "parked_task", "task_id", "wanted") == [(task, True)]


def test_an_epoch_that_cannot_be_counted_on_from_does_not_count(connection: Connection) -> None:
    call(connection, "set_shard_count", 2, [])
    connection.execute("update flowledger.shard set epoch = 1000000000000 where shard = 0")
    connection.execute("delete from flowledger.shard where shard = 1")

    assert call(connection, "restore_missing_shards") == [1]

    assert (1, 1) in table(connection, "shard", "shard", "epoch")
