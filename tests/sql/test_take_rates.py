"""take_rates: expected times move on from where they were decided on."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest
from board import NOON, Connection, call, rows_of, table

LATER = NOON + timedelta(microseconds=1)


def take(connection: Connection, old: datetime | None, new: datetime, key: str = "k") -> None:
    call(connection, "take_rates", rows_of([{"limit_key": key, "old": old, "new": new}]))


def test_a_time_moves_on_from_where_it_was(connection: Connection) -> None:
    take(connection, None, NOON)
    take(connection, NOON, LATER)

    assert table(connection, "rate", "limit_key", "expected_at") == [("k", LATER)]


@pytest.mark.parametrize("old", [None, NOON - timedelta(microseconds=1)])
def test_one_that_another_moved_is_refused(connection: Connection, old: datetime | None) -> None:
    take(connection, None, NOON)

    with pytest.raises(psycopg.DatabaseError) as caught:
        take(connection, old, LATER)

    assert caught.value.sqlstate == "FL006"
    assert table(connection, "rate", "expected_at") == [NOON]


def test_one_that_is_gone_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.DatabaseError) as caught:
        take(connection, NOON, LATER)

    assert caught.value.sqlstate == "FL006"
