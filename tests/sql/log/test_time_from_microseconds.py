"""time_from_microseconds: a time to the microsecond, which every client can read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support.sql_calls import Connection, call

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("microseconds", "time"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        (1_772_368_200_000_001, datetime(2026, 3, 1, 12, 30, 0, 1, tzinfo=UTC)),
        (253_402_300_799_999_998, LAST.replace(microsecond=999_998)),
        (253_402_300_799_999_999, LAST),
        (253_402_300_800_000_000, LAST),
        (2**63 - 1, LAST),
        (-62_135_596_800_000_000, FIRST),
        (-62_135_596_800_000_001, FIRST),
        (-(2**63), FIRST),
        (None, None),
    ],
)
def test_it_is_the_time_or_the_nearest(
    connection: Connection, microseconds: int | None, time: datetime | None
) -> None:
    connection.execute("set timezone = 'UTC'")

    assert call(connection, "time_from_microseconds", microseconds) == [time]
