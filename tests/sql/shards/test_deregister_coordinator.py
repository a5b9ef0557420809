"""deregister_coordinator: who leaves takes no share any more."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id

ONE, TWO = new_id(), new_id()


def test_the_others_stay(connection: Connection) -> None:
    for process in (ONE, TWO):
        call(connection, "heartbeat_coordinator", process, "here", 71, 30.0)

    call(connection, "deregister_coordinator", ONE)
    call(connection, "deregister_coordinator", ONE)

    assert call(connection, "live_coordinators") == [TWO]
