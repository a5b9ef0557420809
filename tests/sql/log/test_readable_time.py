"""readable_time: a time that every client can read, whatever its time zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support.sql_calls import Connection, call

FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-01 12:30:00.000001Z", datetime(2026, 3, 1, 12, 30, 0, 1, tzinfo=UTC)),
        ("infinity", LAST),
        ("9999-12-31 23:59:59.999999Z", LAST),
        ("294276-12-31 00:00:00Z", LAST),
        ("9999-12-30 23:59:59Z", datetime(9999, 12, 30, 23, 59, 59, tzinfo=UTC)),
        ("-infinity", FIRST),
        ("4713-01-01 00:00:00Z BC", FIRST),
        ("0001-01-01 00:00:00Z", FIRST),
        (None, None),
    ],
)
def test_it_is_the_time_or_the_nearest(
    connection: Connection, zone: str, written: str | None, read: datetime | None
) -> None:
    connection.execute("select set_config('timezone', %s, false)", (zone,))

    assert call(connection, "readable_time", written) == [read]
