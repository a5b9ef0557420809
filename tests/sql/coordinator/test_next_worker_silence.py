"""next_worker_silence: when the first of the workers' leases runs out."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, new_id, table


def test_it_is_the_first_of_those_that_have_not_run_out(connection: Connection) -> None:
    assert call(connection, "next_worker_silence") == [None]
    for seconds in (60.0, 30.0):
        call(connection, "heartbeat_worker", new_id(), "host", 1, seconds)
    moment = timedelta(milliseconds=1)
    first, last = sorted(end + moment for end in table(connection, "worker", "lease_until"))

    assert call(connection, "next_worker_silence") == [first]

    call(connection, "advance_test_clock", timedelta(seconds=45))
    assert call(connection, "next_worker_silence") == [last]
