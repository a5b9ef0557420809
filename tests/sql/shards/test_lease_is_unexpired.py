"""lease_is_unexpired: a lease stands as long as it has not run out, and could have been given so
long.
"""

from __future__ import annotations

from math import inf, nan

import pytest

from support.sql_calls import Connection

HOLDS = "select flowledger.lease_is_unexpired(flowledger.clock() + %s::interval, %s)"


@pytest.mark.parametrize(
    ("left", "seconds", "holds"),
    [
        ("2 s", 3.0, True),
        ("3 s", 3.0, True),
        ("-1 s", 3.0, False),
        ("1 hour", 3.0, False),
        ("1 hour", 3600.0, True),
        ("1 minute", None, True),
        ("1 hour", None, False),
        (None, 3.0, False),
        ("1 minute", nan, True),
        ("1 hour", nan, False),
        ("1 hour", 1e300, True),
        ("1 hour", -inf, False),
        ("infinity", inf, False),
    ],
)
def test_it_holds(
    connection: Connection, left: str | None, seconds: float | None, *, holds: bool
) -> None:
    assert connection.execute(HOLDS, (left, seconds)).fetchone() == (holds,)
