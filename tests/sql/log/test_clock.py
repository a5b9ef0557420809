"""clock: the server's time, moved by what is in clock_offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from support.sql_calls import Connection, call, now


def test_the_clock_is_the_servers(connection: Connection) -> None:
    (before,) = connection.execute("select clock_timestamp()").fetchone() or ()
    told = now(connection)

    assert before <= told <= datetime.now(UTC) + timedelta(seconds=1)


def test_time_goes_on_within_a_transaction(connection: Connection) -> None:
    with connection.transaction():
        first = now(connection)
        assert now(connection) > first


def test_every_connection_sees_the_moved_clock(connection: Connection, other: Connection) -> None:
    before = now(other)
    call(connection, "advance_test_clock", timedelta(days=3))

    assert timedelta(days=3) <= now(other) - before < timedelta(days=3, minutes=5)


def test_without_its_row_the_clock_is_not_moved(connection: Connection) -> None:
    call(connection, "advance_test_clock", timedelta(days=3))
    connection.execute("delete from flowledger.clock_offset")
    (before,) = connection.execute("select clock_timestamp()").fetchone() or ()

    assert timedelta() <= now(connection) - before < timedelta(minutes=5)
