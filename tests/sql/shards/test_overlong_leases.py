"""overlong_leases: which leases end later than they can have been given for."""

from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from support.sql_calls import Connection, call, new_id

HOUR = timedelta(hours=1)


def test_they_are_counted_by_kind(connection: Connection) -> None:
    call(connection, "heartbeat_worker", new_id(), "here", 1, 36000.0)
    assert list(call(connection, "overlong_leases")) == []

    call(connection, "advance_test_clock", HOUR)
    call(connection, "heartbeat_coordinator", new_id(), "here", 1, 30.0)
    call(connection, "heartbeat_worker", new_id(), "here", 1, 30.0)
    call(connection, "heartbeat_worker", new_id(), "here", 2, 30.0)
    call(connection, "advance_test_clock", -HOUR)

    found = connection.execute("select * from flowledger.overlong_leases()").fetchall()
    assert [(kind, leases) for kind, leases, _ in found] == [("coordinator", 1), ("worker", 2)]
    assert all(abs(seconds - 3600) < 5 for *_, seconds in found)


@pytest.mark.parametrize("seconds", [nan, inf, -inf, 1e300, -1e300])
def test_a_length_that_cannot_be_is_reckoned_with_as_one_that_can(
    connection: Connection, seconds: float
) -> None:
    call(connection, "heartbeat_worker", new_id(), "here", 1, 30.0)
    connection.execute("update flowledger.worker set lease_seconds = %s", (seconds,))

    found = connection.execute("select seconds from flowledger.overlong_leases()").fetchall()

    assert all(0 < late < 60 for (late,) in found)
