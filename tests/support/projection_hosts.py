"""Hosts of projections, stepped by hand or in an engine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import engine_pool, open_engine
from flowledger.engine.client.engine import ALL_ROLES, Role
from flowledger.engine.client.projections import Projections
from flowledger.engine.ports.clock_and_wakeup import NO_CRASH_POINTS, CrashPoints
from flowledger.engine.ports.projection_admin import Word
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.notifications import ProcessWakeup
from flowledger.engine.store.projection_admin_store import PostgresProjectionStore
from flowledger.projections.host.host import Host
from flowledger.projections.wiring import projector
from support.engines import PATIENCE, EngineHarness
from support.spend_projection import orders

ASKED = frozenset({"projection"})
NUDGED = frozenset({"fact"})

WORD: Word = {"actor": "ann", "reason": "ticket 7"}


class Stepped:
    """A host without a thread, with a clock and a pool of its own."""

    def __init__(self, harness: EngineHarness, host: Host, clock: DatabaseClock) -> None:
        self._harness = harness
        self._clock = clock
        self.host = host

    def step(self) -> float:
        """One step, in which it looks at the leases too; the seconds that it would wait."""
        self._clock.observe(self._harness.value("select flowledger.clock()"))
        return self.host.step(ASKED)

    def read(self) -> float:
        """One step, in which it reads the log and knows of leases only what it has seen."""
        return self.host.step(NUDGED)

    def pass_time(self, seconds: float) -> None:
        """Time passes for this host, in the middle of a step too."""
        self._clock.observe(self._clock.now() + timedelta(seconds=seconds))

    def settle(self) -> None:
        """Step until there is nothing to do but to wait."""
        for _ in range(1_000):
            if self.step():
                return
        raise AssertionError("the host does not come to rest")


class ProjectionHosts:
    """Hosts on a database, by hand or in an engine, and what operators ask of them."""

    def __init__(self, harness: EngineHarness, opened: ExitStack) -> None:
        self.harness = harness
        self._opened = opened
        self.projections = Projections(
            PostgresProjectionStore(self.pool()),
            60.0,
            0.05,
            _nothing,
            lambda _: orders.template.template_id,
        )

    def host(
        self, *projections: object, faults: CrashPoints = NO_CRASH_POINTS, **keys: Any
    ) -> Stepped:
        """A host that is led by hand; the keys are of the section `projections`."""
        settings = self.harness.settings(projections={"lease_seconds": 36_000.0, **keys})
        clock = DatabaseClock()
        host = projector(
            projections,
            url=self.harness.url,
            pool=self.pool(),
            mapper=EventMapper(),
            clock=clock,
            identity=uuid4(),
            settings=settings,
            wakeup=ProcessWakeup(),
            moved=_nothing,
            faults=faults,
        )
        assert host is not None
        self._opened.callback(host.close)
        return Stepped(self.harness, host, clock)

    def engine(
        self,
        *projections: object,
        roles: Iterable[Role] = ALL_ROLES,
        faults: CrashPoints = NO_CRASH_POINTS,
        **keys: Any,
    ) -> Engine:
        """An engine with a projector; the keys are of the section `projections`."""
        quick = {"linger_seconds": 0.01, "poll_seconds": 0.2, "lease_seconds": 36_000.0, **keys}
        settings = self.harness.settings(
            projections=quick, database={"reconnect_initial_seconds": 0.01}
        )
        return self._opened.enter_context(
            open_engine([orders], tuple(roles), settings, faults, projections=projections)
        )

    def standing(self, name: str = "money") -> str:
        """Why the generation that serves stands still, or that it does not."""
        return self.projections.status(name).standing

    def pool(self) -> Pool:
        """Connections of its own."""
        return self._opened.enter_context(engine_pool(self.harness.url, self.harness.settings()))


def _nothing() -> None:
    """Nobody waits, and nobody has to be woken."""


@contextmanager
def hosts_on(harness: EngineHarness) -> Generator[ProjectionHosts]:
    """Hosts on the database of a lab."""
    with ExitStack() as opened:
        yield ProjectionHosts(harness, opened)


@pytest.fixture
def hosts(harness: EngineHarness) -> Generator[ProjectionHosts]:
    """Hosts on a database that is this test's alone."""
    with hosts_on(harness) as found:
        yield found


class At:
    """Does something at visits of a point of which `when` (given their number) says so."""

    def __init__(
        self, point: str, act: Callable[[], Any], when: Callable[[int], bool] = lambda _: True
    ) -> None:
        self._point = point
        self._act = act
        self._when = when
        self.visits = 0

    def reached(self, point: str) -> None:
        if point == self._point:
            self.visits += 1
            if self._when(self.visits):
                self._act()


__all__ = [
    "PATIENCE",
    "WORD",
    "At",
    "ProjectionHosts",
    "Stepped",
    "hosts",
]
