"""A coordinator looks when a worker's lease ends, and asks nothing where it was renewed before."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.events.base import Recorded
from flowledger.engine.runtime.coordinator.coordinator import Coordinator
from flowledger.engine.store.connection.clock import DatabaseClock
from support.engines import EngineHarness
from support.manual_coordinator import CLOCK, InterferedStore, nothing

LEASE = timedelta(seconds=60)
SELDOM = {"lease_seconds": 36_000.0, "poll_seconds": 3_600.0, "reconcile_seconds": 3_600.0}
REGISTER = "select flowledger.heartbeat_worker(%s, 'here', 1, %s)"


class Watched(InterferedStore):
    """Remembers how often the log was read."""

    looks = 0

    def facts(self, after: int, limit: int) -> Sequence[Recorded]:
        self.looks += 1
        return super().facts(after, limit)


class Shift:
    """A coordinator that waits for nothing but the end of a worker's lease."""

    def __init__(self, harness: EngineHarness, pool: Any) -> None:
        self._harness = harness
        self._clock = DatabaseClock()
        self.ledger = Watched(pool, self._clock)
        self.coordinator = Coordinator(
            store=self.ledger,
            clock=self._clock,
            notify=nothing,
            identity=uuid4(),
            settings=harness.settings(coordinator=SELDOM).coordinator,
        )
        harness.rows(REGISTER, uuid4(), LEASE.total_seconds())
        while not self.coordinator.step(CLOCK):
            pass
        self.ends = self._clock.now() + LEASE
        self.ledger.looks = 0

    def pass_time(self, by: timedelta) -> None:
        self._harness.rows("select flowledger.advance_test_clock(%s)", by)
        self._clock.observe(self._harness.value("select flowledger.clock()"))

    def told(self, moment: datetime | None) -> bool:
        return self.coordinator.workers_are_there_until(moment)


@pytest.fixture
def shift(harness: EngineHarness) -> Generator[Shift]:
    with ExitStack() as opened:
        yield Shift(harness, opened.enter_context(engine_pool(harness.url, harness.settings())))


def test_it_asks_nothing_where_the_lease_was_renewed(shift: Shift) -> None:
    assert not shift.told(shift.ends + LEASE / 2)
    shift.pass_time(LEASE)

    wait = shift.coordinator.step()

    assert shift.ledger.looks == 0
    assert LEASE.total_seconds() / 4 < wait <= LEASE.total_seconds() / 2


def test_it_looks_where_it_was_not(shift: Shift) -> None:
    shift.pass_time(LEASE)

    shift.coordinator.step()

    assert shift.ledger.looks == 1


def test_whoever_wakes_it_has_it_look(shift: Shift) -> None:
    shift.told(shift.ends + LEASE / 2)
    shift.pass_time(LEASE)

    shift.coordinator.step(frozenset({"fact"}))

    assert shift.ledger.looks == 1


def test_one_that_wakes_before_its_time_looks_since_nobody_hears_notifications(
    shift: Shift,
) -> None:
    shift.coordinator.step()

    assert shift.ledger.looks == 1


def test_an_answer_of_after_the_end_of_a_lease_does_not_hide_it(shift: Shift) -> None:
    shift.pass_time(LEASE - timedelta(seconds=0.1))
    shift.told(shift.ends + LEASE)
    shift.pass_time(timedelta(seconds=1))

    shift.coordinator.step()

    assert shift.ledger.looks == 1


def test_a_lease_that_ends_sooner_is_to_be_waited_for(shift: Shift) -> None:
    assert shift.told(shift.ends - LEASE / 2)
    assert not shift.told(None)
    assert shift.told(shift.ends)
