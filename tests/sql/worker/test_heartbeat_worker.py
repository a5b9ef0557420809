"""heartbeat_worker: a worker is known for as long as it renews its lease."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, new_id, now, table

FIELDS = ("worker_id", "host", "pid")
SAID = ("templates", "concurrency", "seen_at")


def test_a_worker_registers_with_where_it_runs(connection: Connection) -> None:
    worker = new_id()

    (told,) = call(connection, "heartbeat_worker", worker, "here", 71, 30.0)

    assert table(connection, "worker", *FIELDS) == [(worker, "here", 71)]
    ((started_at, lease_until),) = table(connection, "worker", "started_at", "lease_until")
    assert abs(lease_until - started_at - timedelta(seconds=30)) < timedelta(seconds=1)
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_a_renewal_counts_from_now_and_keeps_the_start(connection: Connection) -> None:
    worker = new_id()
    call(connection, "heartbeat_worker", worker, "here", 71, 30.0)
    (started_at,) = table(connection, "worker", "started_at")
    call(connection, "advance_test_clock", timedelta(minutes=10))

    (told,) = call(connection, "heartbeat_worker", worker, "here", 71, 30.0)

    ((again, lease_until),) = table(connection, "worker", "started_at", "lease_until")
    assert again == started_at
    assert abs(lease_until - told - timedelta(seconds=30)) < timedelta(seconds=1)


def test_a_worker_says_what_it_claims_and_when_it_was_last_heard_of(connection: Connection) -> None:
    worker, silent, template = new_id(), new_id(), new_id()
    call(connection, "heartbeat_worker", worker, "here", 71, 30.0, [template], 8)
    call(connection, "heartbeat_worker", silent, "here", 72, 30.0)
    call(connection, "advance_test_clock", timedelta(minutes=10))

    (told,) = call(connection, "heartbeat_worker", worker, "here", 71, 30.0, [template], 8)

    rows = {row[0]: row[1:] for row in table(connection, "worker", "worker_id", *SAID)}
    assert rows[worker][:2] == ([template], 8)
    assert abs(rows[worker][2] - told) < timedelta(seconds=1)
    assert rows[silent][:2] == (None, None)
