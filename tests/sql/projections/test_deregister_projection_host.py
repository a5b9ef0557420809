"""deregister_projection_host: a host that goes is not counted any more."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id, table


def test_a_host_that_leaves_is_gone_and_the_others_stay(connection: Connection) -> None:
    one, two = new_id(), new_id()
    for host in (one, two):
        call(connection, "heartbeat_projection_host", host, "server", 7, 60.0)

    call(connection, "deregister_projection_host", one)

    assert table(connection, "projection_host", "host_id") == [two]
