"""shard_is_led: a lease that stands, of somebody who is there."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, new_id, now

ONE, TWO = new_id(), new_id()


def test_a_lease_leads_that_stands_and_whose_leader_is_registered(connection: Connection) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    later, before = (now(connection) + timedelta(seconds=by) for by in (20, -20))

    assert call(connection, "shard_is_led", ONE, later, 30.0) == [True]
    assert call(connection, "shard_is_led", ONE, before, 30.0) == [False]
    assert call(connection, "shard_is_led", TWO, later, 30.0) == [False]
    assert call(connection, "shard_is_led", None, later, 30.0) == [False]
