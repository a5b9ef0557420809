"""Times beyond those of Python are read as the nearest, in text and in binary."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flowledger.engine.store.connection.far_times import FIRST, LAST, time_in_json
from flowledger.engine.store.connection.pool import connect

TIMES = [
    ("infinity", LAST),
    ("-infinity", FIRST),
    ("294276-12-31 23:59:59.999999Z", LAST),
    ("10000-01-01 00:00Z", LAST),
    ("9999-12-31 23:59:59.999999Z", LAST),
    ("2026-03-01 13:30+01", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
    ("0001-01-01 00:00Z", FIRST),
    ("0001-12-31 23:59:59Z BC", FIRST),
    ("4713-01-01 00:00Z BC", FIRST),
]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("written", "read"), TIMES)
def test_each_is_read(database: str, written: str, read: datetime, *, binary: bool) -> None:
    asked = "select %s::timestamptz, array[%s::timestamptz, null], null::timestamptz"
    with connect(database) as connection:
        rows = connection.execute(asked, (written, written), binary=binary).fetchall()

    assert rows == [(read, [read, None], None)]
    assert rows[0][0].astimezone(UTC) == read


@pytest.mark.parametrize(("written", "read"), TIMES)
def test_each_is_read_in_json(database: str, written: str, read: datetime) -> None:
    with connect(database) as connection:
        rows = connection.execute("select to_json(%s::timestamptz)", (written,)).fetchall()

    assert [time_in_json(text) for (text,) in rows] == [read]
