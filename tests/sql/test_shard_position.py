"""shard_position: how far the coordinators have come."""

from __future__ import annotations

from board import Connection, call, new_id


def test_the_position_is_the_stored_one(connection: Connection) -> None:
    assert call(connection, "shard_position") == [0]
    call(connection, "lead_shard", 0, new_id(), 60.0)

    call(connection, "advance_shard", 0, 1, 0, 71, 60.0)

    assert call(connection, "shard_position") == [71]


def test_of_several_shards_the_last_counts(connection: Connection) -> None:
    connection.execute("insert into flowledger.shard (shard, position) values (1, 5), (2, 9)")
    connection.execute("update flowledger.shard set position = 7 where shard = 0")

    assert call(connection, "shard_position") == [5]


def test_without_a_shard_nothing_was_decided(connection: Connection) -> None:
    connection.execute("delete from flowledger.shard")

    assert call(connection, "shard_position") == [0]
