"""The engine's time in a process: what the database said, and the time that has passed since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowledger.engine.errors import DatabaseUnfit
from flowledger.engine.store.connection.clock import STALE_SECONDS, STEP, DatabaseClock
from flowledger.engine.store.connection.far_times import FIRST, LAST
from support.builders import NOON

SLACK = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Host:
    """A host whose clocks a test turns, and the database that it asks."""

    def __init__(self) -> None:
        self.passed = 1_000.0
        self.set_by = timedelta()
        self.database_is_ahead = timedelta()
        self.clock = DatabaseClock(wall=self.wall, steady=lambda: self.passed)

    def wall(self) -> datetime:
        """What the host's clock shows."""
        return NOON + timedelta(seconds=self.passed) + self.set_by

    @property
    def true(self) -> datetime:
        """The database's time."""
        return NOON + timedelta(seconds=self.passed) + self.database_is_ahead

    def ask(self, there: float = 0.0, back: float = 0.0) -> None:
        """Ask the database; question and answer are so many seconds on their way."""
        asked = self.clock.asking()
        self.passed += there
        told = self.true
        self.passed += back
        self.clock.observe(told, asked)


def test_a_clock_that_was_told_nothing_is_the_local_one() -> None:
    assert abs(DatabaseClock().now() - datetime.now(UTC)) < SLACK


@pytest.mark.parametrize("told", [FIRST, LAST])
def test_a_time_at_the_end_of_all_calendars_is_refused_and_changes_nothing(told: datetime) -> None:
    clock = DatabaseClock()

    with pytest.raises(DatabaseUnfit, match=r"flowledger\.clock_offset"):
        clock.observe(told, clock.asking())

    assert abs(clock.now() - datetime.now(UTC)) < SLACK


def test_a_slow_answer_is_no_error_of_the_clock() -> None:
    clock = DatabaseClock()
    asked, told = clock.asking(), datetime.now(UTC)
    while clock.asking() < asked + 0.05:
        pass

    clock.observe(told, asked)

    assert abs(clock.now() - datetime.now(UTC)) < timedelta(milliseconds=5)


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


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "back"])
def test_where_the_hosts_clock_is_set_time_goes_on_and_the_step_is_told(by: timedelta) -> None:
    host = Host()
    host.ask()
    assert host.clock.health.ok

    host.set_by = by
    host.passed += 1
    assert host.clock.now() == host.true
    host.ask(0.001, 0.001)

    assert host.clock.now() == host.true
    assert not host.clock.health.ok
    assert f"stepped by {by.total_seconds():+.3f} s" in str(host.clock.health.error)
    host.set_by = timedelta()
    host.passed += 1
    host.ask(0.001, 0.001)
    assert host.clock.now() == host.true
    assert f"stepped by {-by.total_seconds():+.3f} s" in str(host.clock.health.error)
    host.passed += 3_600
    assert host.clock.health.ok


def test_a_host_whose_clock_was_always_wrong_has_the_databases_time() -> None:
    host = Host()
    host.database_is_ahead = -HOUR
    assert host.clock.stale

    host.ask(0.001, 0.001)

    assert host.clock.now() == host.true
    assert host.clock.health.ok
    assert not host.clock.stale
    host.passed += STALE_SECONDS + 1
    assert host.clock.stale


SECONDS = st.floats(0.0, 20.0)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), SECONDS),
        st.tuples(st.just("is set"), st.floats(-100_000.0, 100_000.0)),
        st.tuples(st.just("asks"), SECONDS, SECONDS),
        st.tuples(st.just("moves on"), st.floats(0.0, 100_000.0)),
    ),
    max_size=40,
)


@example(-1.0, [("passes", 0.0)]).via("it waits for a database that was put back by a second")
@given(st.floats(-100_000.0, 100_000.0), STEPS)
def test_time_never_goes_back_and_is_off_by_no_more_than_an_answer_may_be(
    wrong: float, steps: list[tuple[str, float] | tuple[str, float, float]]
) -> None:
    host = Host()
    host.database_is_ahead = timedelta(seconds=wrong)
    host.ask()
    last, doubt = host.clock.now(), timedelta()
    for what, seconds, *back in steps:
        if what == "passes":
            host.passed += seconds
        elif what == "is set":
            host.set_by = timedelta(seconds=seconds)
        elif what == "asks":
            host.ask(seconds, back[0])
            doubt = max(doubt, timedelta(seconds=seconds + back[0]))
        else:
            host.database_is_ahead += timedelta(seconds=seconds)
            host.ask()
            doubt = timedelta()
        now = host.clock.now()
        assert now >= last, "it went back"
        known_to = doubt * 1.5 + timedelta(microseconds=10)
        waits = now == last and now - host.true <= STEP + known_to  # rather than go back
        assert abs(now - host.true) <= known_to or waits, "it is off"
        last = now
