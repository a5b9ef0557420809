"""bounded_lease_seconds: the length of a lease can be reckoned with, whatever is written."""

from __future__ import annotations

from math import inf, nan

import pytest

from support.sql_calls import Connection, call


@pytest.mark.parametrize(
    ("written", "bounded"),
    [
        (0.0, 0.0),
        (2.5, 2.5),
        (86_400.0, 86_400.0),
        (-3.0, 0.0),
        (-inf, 0.0),
        (1e300, 1e9),
        (inf, 1e9),
        (nan, 1e9),
        (None, None),
    ],
)
def test_it_is_bounded(
    connection: Connection, written: float | None, bounded: float | None
) -> None:
    assert call(connection, "bounded_lease_seconds", written) == [bounded]
