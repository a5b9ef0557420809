"""release_shard_lease: the next may lead at once."""

from __future__ import annotations

from support.sql_calls import Connection, call, heard, new_id, table
from support.unchecked_rows import plant_on

ONE, TWO = new_id(), new_id()


def test_another_leads_at_once_from_the_same_position(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    call(connection, "advance_shard_position", 0, 1, 0, 7, 60.0)

    call(connection, "release_shard_lease", 0, 1)

    assert call(connection, "acquire_shard_lease", 0, TWO, 60.0)[0][:2] == (2, 7)


def test_who_no_longer_leads_gives_nothing_up(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)

    call(connection, "release_shard_lease", 0, 0)

    assert call(connection, "acquire_shard_lease", 0, TWO, 60.0) == []


def test_who_stands_by_is_told(connection: Connection, other: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)

    assert heard(other, "shard", connection, "release_shard_lease", 0, 1) == ["0"]


def test_where_the_row_is_of_no_shard_nothing_happens(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    plant_on(connection, "update flowledger.shard set shards = 0")

    call(connection, "release_shard_lease", 0, 1)

    assert table(connection, "shard", "leader") == [ONE]
