"""mend_shards: the rows that there should be, each of as many, and no other."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id, table
from support.unchecked_rows import DROP_CHECKS

MOST = 1_000_000_000_000


def test_rows_of_no_shard_go_and_the_others_say_how_many_there_are(connection: Connection) -> None:
    connection.execute(DROP_CHECKS.encode())
    call(connection, "set_shard_count", 3, [])
    connection.execute("update flowledger.shard set shards = 0, epoch = 5 where shard = 1")
    of_more = "update flowledger.shard set shards = 5, epoch = %s where shard = 2"
    connection.execute(of_more, (MOST,))
    odd = b"insert into flowledger.shard (shard, shards) values (-1, 3), (5, 3), (4, 3)"
    connection.execute(odd)

    assert call(connection, "mend_shards") == [5]

    assert sorted(table(connection, "shard", "shard", "shards", "epoch")) == [
        (0, 3, 0),
        (1, 3, 6),
        (2, 3, 1),
    ]
    assert call(connection, "mend_shards") == [0]


def test_where_no_row_says_what_can_be_the_log_says_it(connection: Connection) -> None:
    connection.execute(DROP_CHECKS.encode())
    call(connection, "set_shard_count", 3, [])
    append(connection, Row(new_id(), 1, "shards.changed", state=b'{"before": 1, "shards": 2}'))
    connection.execute("update flowledger.shard set shards = 2147483647")

    assert call(connection, "mend_shards") == [3]

    assert sorted(table(connection, "shard", "shard", "shards")) == [(0, 2), (1, 2)]
