"""counted_shards: the rows of the shards that there are to be."""

from __future__ import annotations

from support.sql_calls import Connection, call
from support.unchecked_rows import DROP_CHECKS


def counted(connection: Connection) -> list[tuple[int, int]]:
    return sorted(row[:2] for row in call(connection, "counted_shards"))


def test_they_are_all_where_every_row_is_as_it_should_be(connection: Connection) -> None:
    call(connection, "set_shard_count", 3, [])

    assert counted(connection) == [(0, 3), (1, 3), (2, 3)]


def test_each_has_the_number_that_most_say_and_others_are_not_there(connection: Connection) -> None:
    connection.execute(DROP_CHECKS.encode())
    call(connection, "set_shard_count", 3, [])
    connection.execute("update flowledger.shard set shards = 0 where shard = 1")
    connection.execute("insert into flowledger.shard (shard, shards) values (-1, 3), (5, 8)")

    assert counted(connection) == [(0, 3), (1, 3), (2, 3)]
