"""heartbeat_coordinator: a process is there for as long as it says so."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, Others, call, new_id, now, table

ONE, TWO = new_id(), new_id()


def test_a_process_registers_with_where_it_runs(connection: Connection) -> None:
    (told,) = call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)

    assert table(connection, "coordinator", "coordinator_id", "host", "pid") == [(ONE, "here", 71)]
    ((started_at, lease_until),) = table(connection, "coordinator", "started_at", "lease_until")
    assert timedelta() <= timedelta(seconds=30) - (lease_until - started_at) < timedelta(seconds=1)
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_renewing_moves_the_lease_and_not_the_start(connection: Connection) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    ((before, lease_before),) = table(connection, "coordinator", "started_at", "lease_until")
    call(connection, "advance_test_clock", timedelta(seconds=10))

    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)

    ((after, lease_after),) = table(connection, "coordinator", "started_at", "lease_until")
    assert after == before
    assert lease_after - lease_before >= timedelta(seconds=10)


def test_who_was_silent_is_forgotten_and_may_come_back(connection: Connection) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    call(connection, "advance_test_clock", timedelta(seconds=31))

    call(connection, "heartbeat_coordinator", TWO, "there", 72, 30.0)
    assert table(connection, "coordinator", "coordinator_id") == [TWO]

    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    assert len(table(connection, "coordinator", "coordinator_id")) == 2


def test_one_that_is_just_coming_back_is_not_waited_for(
    connection: Connection, others: Others
) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    call(connection, "advance_test_clock", timedelta(seconds=31))

    with others.begin() as coming_back:
        call(coming_back, "heartbeat_coordinator", ONE, "here", 71, 30.0)
        connection.execute("set lock_timeout = '5s'")
        call(connection, "heartbeat_coordinator", TWO, "there", 72, 30.0)

    assert len(table(connection, "coordinator", "coordinator_id")) == 2
