"""queue_counts_are_usable: whether the counts of a queue row can be counted on from."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection

QUERY = "select flowledger.queue_counts_are_usable(%s::bigint, %s::integer, %s::integer)"


@pytest.mark.parametrize("counts", [(0, 0, 0), (5, 2, 1), (10**12 // 2, 10**9 // 2, 10**9 // 2)])
def test_what_the_engine_counts_to_is(connection: Connection, counts: tuple[int, int, int]) -> None:
    assert connection.execute(QUERY, counts).fetchall() == [(True,)]


@pytest.mark.parametrize(
    "counts",
    [
        (2**63 - 1, 1, 0),
        (-1, 1, 0),
        (1, 2**31 - 1, 0),
        (1, 1, 2**31 - 1),
        (1, -1, 0),
        (10**12, 1, 0),
        (1, 10**9, 0),
        (1, 1, 10**9),
    ],
)
def test_what_it_would_count_beyond_is_not(
    connection: Connection, counts: tuple[int, int, int]
) -> None:
    assert connection.execute(QUERY, counts).fetchall() == [(False,)]
