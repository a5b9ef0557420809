"""shard_count: by the rows, by the log where all are gone, or one."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id
from support.unchecked_rows import DROP_CHECKS

CHANGED = b'{"before": 1, "shards": 3}'


def test_it_is_what_the_rows_say(connection: Connection) -> None:
    call(connection, "set_shard_count", 4, [])
    connection.execute("delete from flowledger.shard where shard > 0")

    assert call(connection, "shard_count") == [4]


def test_where_all_rows_are_gone_it_is_what_the_log_says_of_the_last_change(
    connection: Connection,
) -> None:
    connection.execute("delete from flowledger.shard")
    assert call(connection, "shard_count") == [1]

    append(connection, Row(new_id(), 1, "shards.changed", state=CHANGED))

    assert call(connection, "shard_count") == [3]


def test_a_change_to_what_is_no_number_of_shards_is_passed_over(connection: Connection) -> None:
    connection.execute("delete from flowledger.shard")
    append(connection, Row(new_id(), 1, "shards.changed", state=CHANGED))
    for said in (b'"x"', b"2147483647", b"0", b"-1", b"1e400", b"null", b"[]"):
        append(connection, Row(new_id(), 1, "shards.changed", state=b'{"shards": %b}' % said))

    assert call(connection, "shard_count") == [3]


def test_of_rows_that_differ_most_count_and_none_that_says_what_cannot_be(
    connection: Connection,
) -> None:
    connection.execute(DROP_CHECKS.encode())
    call(connection, "set_shard_count", 4, [])
    connection.execute("update flowledger.shard set shards = 1024 where shard = 2")
    odd = b"insert into flowledger.shard (shard, shards) values (7, 8), (-3, 1), (9, 1)"
    connection.execute(odd)
    assert call(connection, "shard_count") == [4]

    connection.execute("delete from flowledger.shard where shard not between 0 and 3")
    connection.execute("update flowledger.shard set shards = 2147483647 where shard <> 2")
    connection.execute("update flowledger.shard set shards = 0 where shard = 2")
    assert call(connection, "shard_count") == [4]

    append(connection, Row(new_id(), 1, "shards.changed", state=CHANGED))
    assert call(connection, "shard_count") == [3]
