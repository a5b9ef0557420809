"""shard_leases: who leads, and for how long still."""

from __future__ import annotations

from datetime import timedelta
from math import inf

import pytest

from support.sql_calls import Connection, call, new_id

ONE = new_id()


def test_a_shard_that_was_never_led_has_been_free_for_ever(connection: Connection) -> None:
    assert call(connection, "shard_leases") == [(0, None, -inf, 0, 1)]


def test_the_seconds_that_are_left_go_below_zero(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    ((shard, leader, left, epoch, _),) = call(connection, "shard_leases")
    assert (shard, leader, epoch) == (0, ONE, 1)
    assert 30 < left <= 60

    call(connection, "advance_test_clock", timedelta(seconds=100))

    assert call(connection, "shard_leases")[0][2] == pytest.approx(-40, abs=30)


def test_who_resigns_says_since_when_the_shard_is_free(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    call(connection, "release_shard_lease", 0, 1)

    ((_, leader, left, *_),) = call(connection, "shard_leases")

    assert leader is None
    assert -30 < left <= 0


def test_shards_come_by_their_numbers(connection: Connection) -> None:
    call(connection, "set_shard_count", 12, [])

    assert [row[0] for row in call(connection, "shard_leases")] == list(range(12))


def test_how_many_there_are_to_be_is_said_where_rows_are_gone(connection: Connection) -> None:
    call(connection, "set_shard_count", 4, [])
    connection.execute("delete from flowledger.shard where shard = 2")

    assert [(row[0], row[4]) for row in call(connection, "shard_leases")] == [
        (0, 4),
        (1, 4),
        (3, 4),
    ]
