"""shorten_unheld_shard_leases: of whom nobody knows, a shard is free within a minute."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, Others, call, new_id, now, table
from support.unchecked_rows import DROP_CHECKS

ONE = new_id()
MINUTE, SLACK = timedelta(minutes=1), timedelta(seconds=5)


def left(connection: Connection) -> timedelta:
    (until,) = table(connection, "shard", "lease_until")
    return until - now(connection)


def test_it_ends_within_a_minute_and_is_not_prolonged(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 36_000.0)

    call(connection, "shorten_unheld_shard_leases")
    assert abs(left(connection) - MINUTE) < SLACK

    call(connection, "advance_test_clock", timedelta(seconds=30))
    call(connection, "shorten_unheld_shard_leases")
    assert left(connection) < timedelta(seconds=31)


def test_of_a_leader_that_is_registered_it_stays(connection: Connection) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    call(connection, "acquire_shard_lease", 0, ONE, 36_000.0)

    call(connection, "shorten_unheld_shard_leases")

    assert left(connection) > timedelta(hours=9)


def test_a_row_that_somebody_has_is_not_waited_for(connection: Connection, others: Others) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 36_000.0)

    with others.begin() as busy:
        busy.execute("select from flowledger.shard for update")
        connection.execute("set lock_timeout = '5s'")
        call(connection, "shorten_unheld_shard_leases")

    assert left(connection) > timedelta(hours=9)


def test_rows_of_no_shard_are_left_alone(connection: Connection) -> None:
    connection.execute(DROP_CHECKS.encode())
    connection.execute(
        "update flowledger.shard set shards = 0, leader = gen_random_uuid(),"
        " lease_until = now() + interval '1 day'"
    )

    call(connection, "shorten_unheld_shard_leases")

    assert left(connection) > timedelta(hours=9)
