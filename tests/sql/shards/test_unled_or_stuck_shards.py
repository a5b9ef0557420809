"""unled_or_stuck_shards: those that nobody leads, and those whose leader does not come on."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, Row, append, call, new_id

FACT = "step.completed"
ONE = new_id()


def test_a_shard_that_was_never_led_is_told_without_a_time(connection: Connection) -> None:
    assert call(connection, "unled_or_stuck_shards", 60.0, [FACT]) == [
        (0, False, None, None, None, 0, None)
    ]


def test_one_whose_lease_ran_out_says_who_led_it_and_until_when(connection: Connection) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    assert call(connection, "unled_or_stuck_shards", 60.0, [FACT]) == []
    append(connection, Row(new_id(), 1, FACT, task=new_id()))
    call(connection, "advance_test_clock", timedelta(minutes=2))
    assert call(connection, "unled_or_stuck_shards", 600.0, [FACT]) == []  # it has just ended
    call(connection, "advance_test_clock", timedelta(minutes=2))

    ((shard, led, host, pid, since, behind, waiting),) = call(
        connection, "unled_or_stuck_shards", 600.0, [FACT]
    )

    assert (shard, led, host, pid, behind) == (0, False, "here", 71, 1)
    (ended,) = call(connection, "shard_leases")
    assert since < waiting + timedelta(minutes=4)
    assert ended[2] < 0


def test_one_that_is_led_and_leaves_events_undecided_is_told_after_the_patience(
    connection: Connection,
) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 36_000.0)
    call(connection, "acquire_shard_lease", 0, ONE, 36_000.0)
    append(connection, *(Row(new_id(), 1, FACT, task=new_id()) for _ in range(3)))
    assert call(connection, "unled_or_stuck_shards", 60.0, [FACT]) == []
    call(connection, "advance_test_clock", timedelta(minutes=2))

    ((_, led, *_, since, behind, waiting),) = call(
        connection, "unled_or_stuck_shards", 60.0, [FACT]
    )

    assert (led, behind) == (True, 3)
    assert since == waiting
    assert call(connection, "unled_or_stuck_shards", 600.0, [FACT]) == []


def test_one_whose_leader_is_not_registered_is_led_by_nobody(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 36_000.0)

    ((shard, led, host, pid, *_),) = call(connection, "unled_or_stuck_shards", 60.0, [FACT])

    assert (shard, led, host, pid) == (0, False, None, None)
