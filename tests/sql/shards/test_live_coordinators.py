"""live_coordinators: among whom the shards are shared out."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, new_id

ONE, TWO = new_id(), new_id()


def test_who_was_silent_for_too_long_is_not_among_them(connection: Connection) -> None:
    call(connection, "heartbeat_coordinator", ONE, "here", 71, 30.0)
    call(connection, "heartbeat_coordinator", TWO, "here", 72, 90.0)
    assert set(call(connection, "live_coordinators")) == {ONE, TWO}

    call(connection, "advance_test_clock", timedelta(seconds=31))

    assert call(connection, "live_coordinators") == [TWO]
