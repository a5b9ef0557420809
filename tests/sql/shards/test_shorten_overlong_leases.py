"""shorten_overlong_leases: what a clock that was ahead gave ends as if it were given now."""

from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from flowledger.engine.config.setting_value_types import LONGEST_SECONDS
from support.sql_calls import Connection, Others, call, new_id, now, table
from support.unchecked_rows import plant_on

ALL = ["coordinator", "shard", "worker", "projection_host", "projection"]
HOUR, SLACK = timedelta(hours=1), timedelta(seconds=5)


def left(connection: Connection, name: str) -> timedelta:
    (until,) = table(connection, name, "lease_until")
    return until - now(connection)


def given_ahead(connection: Connection) -> None:
    """Leases of a clock that was an hour ahead and was put back."""
    call(connection, "advance_test_clock", HOUR)
    call(connection, "heartbeat_coordinator", new_id(), "here", 1, 30.0)
    call(connection, "acquire_shard_lease", 0, new_id(), 40.0)
    call(connection, "heartbeat_worker", new_id(), "here", 1, 50.0)
    call(connection, "advance_test_clock", -HOUR)


def test_each_lasts_as_long_as_it_was_given_for(connection: Connection) -> None:
    given_ahead(connection)

    call(connection, "shorten_overlong_leases", ALL)

    for name, seconds in (("coordinator", 30), ("shard", 40), ("worker", 50)):
        assert abs(left(connection, name) - timedelta(seconds=seconds)) < SLACK
    ((noticed, reached),) = table(connection, "clock_put_back", "noticed_at", "reached")
    assert abs(reached - noticed - HOUR) < SLACK


def test_what_is_as_it_should_be_stays(connection: Connection) -> None:
    call(connection, "heartbeat_worker", new_id(), "here", 1, 50.0)
    before = table(connection, "worker", "lease_until")

    call(connection, "shorten_overlong_leases", ALL)

    assert table(connection, "worker", "lease_until") == before
    assert table(connection, "clock_put_back", "reached") == []


def test_a_row_that_somebody_has_is_not_waited_for(connection: Connection, others: Others) -> None:
    given_ahead(connection)

    with others.begin() as busy:
        busy.execute("select from flowledger.worker for update")
        connection.execute("set lock_timeout = '5s'")
        call(connection, "shorten_overlong_leases", ALL)

    assert left(connection, "worker") > timedelta(minutes=50)
    assert left(connection, "coordinator") < timedelta(minutes=1)


@pytest.mark.parametrize("seconds", [nan, inf, -inf, 1e300, -1e300])
def test_a_lease_of_a_length_that_cannot_be_keeps_no_other_from_it(
    connection: Connection, seconds: float
) -> None:
    given_ahead(connection)
    call(connection, "heartbeat_worker", new_id(), "there", 2, 30.0)
    connection.execute("update flowledger.worker set lease_seconds = %s where pid = 2", (seconds,))

    call(connection, "shorten_overlong_leases", ALL)

    rows = connection.execute("select lease_until from flowledger.worker where pid = 1").fetchall()
    assert rows[0][0] - now(connection) < timedelta(seconds=55)


@pytest.mark.parametrize("until", ["infinity", "250000-01-01", "3000-01-01"])
def test_a_lease_that_ends_after_ages_says_nothing_of_the_clock(
    connection: Connection, until: str
) -> None:
    call(connection, "acquire_shard_lease", 0, new_id(), 40.0)
    connection.execute("update flowledger.shard set lease_until = %s", (until,))

    call(connection, "shorten_overlong_leases", ALL)

    assert left(connection, "shard") < timedelta(seconds=45)
    assert table(connection, "clock_put_back", "reached") == []


@pytest.mark.parametrize("seconds", [nan, inf, 1e300, None])
def test_no_lease_is_longer_than_can_be_configured(
    connection: Connection, seconds: float | None
) -> None:
    call(connection, "heartbeat_worker", new_id(), "here", 1, 50.0)
    call(connection, "heartbeat_coordinator", new_id(), "here", 1, 50.0)
    for name in ("worker", "coordinator", "shard"):
        written = f"update flowledger.{name} set lease_until = 'infinity', lease_seconds = %s"  # noqa: S608
        connection.execute(written.encode(), (seconds,))

    call(connection, "shorten_overlong_leases", ALL)

    for name in ("worker", "coordinator", "shard"):
        assert left(connection, name) <= timedelta(seconds=LONGEST_SECONDS) + SLACK


def test_a_row_of_no_shard_keeps_no_other_from_it(connection: Connection) -> None:
    call(connection, "set_shard_count", 2, [])
    call(connection, "acquire_shard_lease", 0, new_id(), 40.0, 2)
    plant_on(
        connection,
        "update flowledger.shard set lease_until = now() + interval '1 day', shards = 2 * shard",
    )

    call(connection, "shorten_overlong_leases", ["shard"])

    ends = dict(table(connection, "shard", "shard", "lease_until"))
    assert ends[1] - now(connection) < HOUR


def test_what_was_noted_and_cannot_be_hides_nothing(connection: Connection) -> None:
    connection.execute(
        "alter table flowledger.clock_put_back"
        " drop constraint clock_put_back_is_within_a_century;"
        " insert into flowledger.clock_put_back values (true, now(), '250000-01-01')"
    )
    given_ahead(connection)

    call(connection, "shorten_overlong_leases", ALL)

    ((noticed, reached),) = table(connection, "clock_put_back", "noticed_at", "reached")
    assert abs(reached - noticed - HOUR) < SLACK
