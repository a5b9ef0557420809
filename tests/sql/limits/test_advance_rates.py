"""advance_rates: expected times move on from where they were decided on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from support.builders import NOON
from support.sql_calls import Connection, call, rows_of, table

LATER = NOON + timedelta(microseconds=1)
TO_COME = datetime(2200, 1, 1, tzinfo=UTC)


def take(connection: Connection, old: datetime | None, new: datetime, at: datetime = LATER) -> None:
    row = {"limit_key": "k", "old": old, "new": new, "at": at}
    call(connection, "advance_rates", rows_of([row]))


def test_a_time_moves_on_from_where_it_was(connection: Connection) -> None:
    take(connection, None, NOON)
    take(connection, NOON, LATER)

    assert table(connection, "rate", "limit_key", "expected_at") == [("k", LATER)]


@pytest.mark.parametrize("old", [None, NOON, TO_COME - timedelta(microseconds=1)])
def test_one_that_another_moved_is_refused(connection: Connection, old: datetime | None) -> None:
    take(connection, None, TO_COME)

    with pytest.raises(psycopg.DatabaseError) as caught:
        take(connection, old, TO_COME + timedelta(days=1))

    assert caught.value.sqlstate == "FL006"
    assert table(connection, "rate", "expected_at") == [TO_COME]


@pytest.mark.parametrize("known", [None, NOON, LATER], ids=["none", "old", "later"])
@pytest.mark.parametrize("stored", [None, NOON], ids=["none", "old"])
def test_a_time_that_has_passed_is_as_good_as_none(
    connection: Connection, stored: datetime | None, known: datetime | None
) -> None:
    """Whoever decided may have forgotten it, or somebody else."""
    if stored is not None:
        take(connection, None, stored)

    take(connection, known, TO_COME)

    assert table(connection, "rate", "expected_at") == [TO_COME]


def test_a_time_that_passed_after_the_decision_only_is_refused(connection: Connection) -> None:
    """Else a commit that takes long lets two go at once, one of each shard."""
    take(connection, None, LATER, at=NOON)

    with pytest.raises(psycopg.DatabaseError) as caught:
        take(connection, None, TO_COME, at=NOON)

    assert caught.value.sqlstate == "FL006"
    assert table(connection, "rate", "expected_at") == [LATER]


def test_one_that_is_gone_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.DatabaseError) as caught:
        take(connection, TO_COME, TO_COME + timedelta(days=1))

    assert caught.value.sqlstate == "FL006"
