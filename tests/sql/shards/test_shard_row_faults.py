"""shard_row_faults: rows that nobody can lead, or that are of no shard."""

from __future__ import annotations

from support.sql_calls import Connection, call
from support.unchecked_rows import DROP_CHECKS


def test_there_is_none_where_all_say_the_same(connection: Connection) -> None:
    call(connection, "set_shard_count", 3, [])

    assert call(connection, "shard_row_faults") == []


def test_each_is_told_with_what_would_be_right(connection: Connection) -> None:
    connection.execute(DROP_CHECKS.encode())
    call(connection, "set_shard_count", 3, [])
    connection.execute("update flowledger.shard set shards = 0 where shard = 1")
    connection.execute("insert into flowledger.shard (shard, shards) values (-1, 3), (5, 8)")

    assert call(connection, "shard_row_faults") == [
        (-1, "row", "none", "a row"),
        (1, "shards", "3", "0"),
        (5, "row", "none", "a row"),
    ]
