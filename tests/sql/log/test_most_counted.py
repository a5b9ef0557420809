"""most_counted: what counts are counted on from lies well below what their checks let in."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call


@pytest.mark.parametrize("checked", [10**9, 10**12])
def test_no_engine_counts_from_there_to_what_is_refused(
    connection: Connection, checked: int
) -> None:
    (most,) = call(connection, "most_counted", checked)

    assert 100_000_000 < most <= checked - 100_000_000
