"""heartbeat_projection_host: who runs projections now."""

from __future__ import annotations

from support.generation_rows import later
from support.sql_calls import Connection, call, new_id

ONE, TWO = new_id(), new_id()


def attend(connection: Connection, host: object, seconds: float = 60.0) -> set[object]:
    return set(call(connection, "heartbeat_projection_host", host, "server", 7, seconds))


def test_a_host_sees_itself_and_the_others(connection: Connection) -> None:
    assert attend(connection, ONE) == {ONE}
    assert attend(connection, TWO) == {ONE, TWO}


def test_a_host_that_was_silent_past_its_lease_is_forgotten(connection: Connection) -> None:
    attend(connection, ONE)
    later(connection, 61)

    assert attend(connection, TWO) == {TWO}


def test_a_host_stays_by_saying_so_again(connection: Connection) -> None:
    for _ in range(3):
        attend(connection, ONE)
        later(connection, 40)

    assert attend(connection, TWO) == {ONE, TWO}
