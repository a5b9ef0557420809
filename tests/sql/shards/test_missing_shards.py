"""missing_shards: the numbers of shards whose row is gone."""

from __future__ import annotations

from support.sql_calls import Connection, call


def test_rows_that_are_gone_are_named_in_their_order(connection: Connection) -> None:
    call(connection, "set_shard_count", 4, [])
    assert call(connection, "missing_shards") == []

    connection.execute("delete from flowledger.shard where shard in (1, 3)")

    assert call(connection, "missing_shards") == [1, 3]


def test_where_all_are_gone_there_is_one_at_least(connection: Connection) -> None:
    connection.execute("delete from flowledger.shard")

    assert call(connection, "missing_shards") == [0]
