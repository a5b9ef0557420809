"""bounded_count: a count can be counted on from, whatever is written."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection

MOST = 10**12 // 2


@pytest.mark.parametrize(
    ("written", "bounded"),
    [
        (0, 0),
        (7, 7),
        (-7, -7),
        (MOST, MOST),
        (-MOST, -MOST),
        (MOST + 1, 0),
        (10**12, 0),
        (-(10**12), 0),
        (2**63 - 1, 0),
        (-(2**63), 0),
    ],
)
def test_one_that_cannot_be_counts_as_none(
    connection: Connection, written: int, bounded: int
) -> None:
    query = "select flowledger.bounded_count(%s::bigint)"

    assert connection.execute(query, (written,)).fetchall() == [(bounded,)]
