"""shard_positions: where each shard stands, and where the log ends."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id


def test_shards_come_with_the_end_of_the_log(connection: Connection) -> None:
    assert call(connection, "shard_positions") == [(0, 1, 0, 0)]
    call(connection, "set_shard_count", 2, ["task.created"])
    (position,) = append(connection, Row(new_id(), 1, "task.created"))

    assert call(connection, "shard_positions") == [(0, 2, 0, position), (1, 2, 0, position)]
