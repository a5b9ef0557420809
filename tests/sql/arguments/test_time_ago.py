"""time_ago: so long before now, and no longer ago than clients can read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from support.sql_calls import Connection, call


def test_it_is_so_long_before_the_time_of_the_log(connection: Connection) -> None:
    call(connection, "advance_test_clock", timedelta(days=400))

    ((hours,),) = connection.execute(
        "select extract(epoch from flowledger.clock() - flowledger.time_ago('25 hours')) / 3600"
    )

    assert round(float(hours), 3) == 25


@pytest.mark.parametrize("years", [1_000, 6_500, 170_000_000])
def test_the_farthest_is_a_time_before_everything(connection: Connection, years: int) -> None:
    ((ago,),) = connection.execute("select flowledger.time_ago(make_interval(%s))", [years])

    assert ago == datetime(1000, 1, 1, tzinfo=UTC)


def test_nothing_of_what_is_not_known(connection: Connection) -> None:
    assert call(connection, "time_ago", None) == [None]
