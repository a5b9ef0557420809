"""The engine's time in a process: what the database said last, and the time since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from flowledger.engine.store.clock import DatabaseClock

SLACK = timedelta(minutes=1)


def test_a_clock_that_was_told_nothing_is_the_local_one() -> None:
    assert abs(DatabaseClock().now() - datetime.now(UTC)) < SLACK


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=-1)], ids=["ahead", "behind"])
def test_it_follows_what_the_database_said_last(ahead: timedelta) -> None:
    clock = DatabaseClock()
    clock.observe(datetime.now(UTC) + timedelta(days=30))

    clock.observe(datetime.now(UTC) + ahead)

    assert abs(clock.now() - datetime.now(UTC) - ahead) < SLACK


def test_its_time_goes_on_and_is_utc_whatever_zone_the_database_answers_in() -> None:
    clock = DatabaseClock()
    told = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=5)))

    clock.observe(told)

    first = clock.now()
    assert told <= first < told + SLACK
    assert first.tzinfo is UTC
    assert clock.now() >= first
