"""What the tests of the running engine share: engines on a database, its clock, its log."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import open_engine
from flowledger.engine.client.engine import ALL_ROLES, Role
from flowledger.engine.config import Settings
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.base import Recorded, StepEvent
from flowledger.engine.events.step import StepCompleted, StepEnqueued
from flowledger.engine.events.task import TaskCompleted, TaskCreated
from flowledger.engine.ports.clock_and_wakeup import NO_CRASH_POINTS, CrashPoints
from flowledger.engine.store.notifications import CHANNELS
from support.databases import database_on

PATIENCE = 30.0
"""Seconds that a test waits at most for what must happen; far more than it takes."""

# Clocks are moved by minutes here, and nobody's lease is to run out by that.
SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "worker": {"concurrency": 16, "lease_seconds": 36_000.0, "grace_seconds": 1.0},
    "coordinator": {"poll_seconds": 0.5},
    "database": {"pool_max_size": 4},
    "submit": {"wait_poll_seconds": 0.5},
    # Tests of the read models that come with the engine ask for them.
    "projections": {"builtin": False},
}
# For tests in which someone dies: the others take over after a second.
SHORT_LEASES: Mapping[str, Mapping[str, Any]] = {
    "worker": {"lease_seconds": 1.0, "lease_margin_seconds": 0.2, "poll_seconds": 0.2},
    "coordinator": {"lease_seconds": 1.0, "poll_seconds": 0.2, "reconcile_seconds": 0.5},
}


Connection = psycopg.Connection[Any]


class EngineHarness:
    """A database with everything that a test does to it; engines are closed at the end."""

    def __init__(self, url: str, opened: ExitStack, admin: Connection | None = None) -> None:
        self.url = url
        self._opened = opened
        if admin is None:
            self.reconnect()
        else:
            self._admin = admin

    def reconnect(self) -> None:
        """Connect anew, after the server was gone."""
        connection = psycopg.connect(self.url, autocommit=True)
        self._admin = self._opened.enter_context(connection)

    def settings(self, **sections: Mapping[str, Any]) -> Settings:
        """Settings for this database: `SECTIONS`, and over them what is given."""
        given = {name: {**SECTIONS.get(name, {}), **keys} for name, keys in sections.items()}
        merged = {**SECTIONS, **given}
        database = {**merged["database"], "url": self.url}
        return Settings.load(**{**merged, "database": database})

    def open(
        self,
        *workflows: Any,
        roles: Iterable[Role] = ALL_ROLES,
        faults: CrashPoints = NO_CRASH_POINTS,
        projections: Iterable[object] = (),
        **sections: Mapping[str, Any],
    ) -> Engine:
        """An engine with roles in this process."""
        settings = self.settings(**sections)
        engine = open_engine(
            workflows, tuple(roles), settings, faults, projections=tuple(projections)
        )
        return self._opened.enter_context(engine)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What a statement returns, on a connection that is not the engine's."""
        cursor = self._admin.execute(query.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def value(self, query: str, *parameters: Any) -> Any:
        """The one value that a statement returns."""
        ((value,),) = self.rows(query, *parameters)
        return value

    def move_clock(self, by: str) -> None:
        """Move the engine's time in all processes."""
        self.rows("select flowledger.advance_test_clock(%s::interval)", by)

    def until_coordinators_know_the_time(self) -> None:
        """Wait until whoever leads has renewed its lease by the clock that was moved.

        Until then it may decide by the time that it knew before.
        """
        known = "select bool_and(lease_until > flowledger.clock()) from flowledger.shard"
        self.until(lambda: self.value(known))

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of the test's own, not in autocommit mode."""
        return self._opened.enter_context(psycopg.connect(self.url))

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until it holds, asking whenever the database says that something happened."""
        deadline = monotonic() + PATIENCE
        with psycopg.connect(self.url, autocommit=True) as listening:
            for channel in CHANNELS:
                listening.execute(f'listen "flowledger.{channel}"'.encode())
            while not holds():
                assert monotonic() < deadline, "it did not come to hold"
                list(listening.notifies(timeout=0.1, stop_after=1))

    def counts(self) -> dict[str, int]:
        """Rows of every table of the engine."""
        return {
            name: self.value(f"select count(*) from flowledger.{name}")  # noqa: S608
            for name in self._tables()
        }

    def contents(self) -> dict[str, str]:
        """What is in every table of the engine, as text that differs where a row does."""
        text = (
            "select coalesce(string_agg(t::text, '; ' order by t::text), '') from flowledger.{} t"
        )
        return {name: self.value(text.format(name)) for name in self._tables()}

    def _tables(self) -> list[str]:
        tables = self.rows("select tablename from pg_tables where schemaname = 'flowledger'")
        return sorted(name for (name,) in tables)


@contextmanager
def harness_on(url: str, admin: Connection | None = None) -> Generator[EngineHarness]:
    """A lab on a database, with a connection to it if there is one."""
    with ExitStack() as opened:
        yield EngineHarness(url, opened, admin)


@pytest.fixture
def harness(database: str, connection: Connection) -> Generator[EngineHarness]:
    """A lab on a database that is this test's alone."""
    with harness_on(database, connection) as found:
        yield found


@pytest.fixture(scope="module")
def shared_harness(server: str, template: str) -> Generator[EngineHarness]:
    """A lab that the tests of one file share."""
    with (
        database_on(server, f"flowledger_shared_{uuid4().hex}", template) as url,
        harness_on(url) as found,
    ):
        yield found


def kinds(history: Sequence[Recorded], step: str | None = None) -> list[str]:
    """The names of the events, of one step or of all streams."""
    events = [recorded.event for recorded in history]
    if step is not None:
        events = [event for event in events if isinstance(event, StepEvent) and event.step == step]
    return [type(event).__name__ for event in events]


def of_kind(history: Sequence[Recorded], kind: type[Any], step: str | None = None) -> list[Any]:
    """The events of one kind, of one step or of all."""
    return [
        recorded.event
        for recorded in history
        if isinstance(recorded.event, kind) and step in (None, getattr(recorded.event, "step", ""))
    ]


def assert_legal_order(history: Sequence[Recorded], template: Template) -> None:
    """Every step completed once, and none was enqueued before its dependencies completed."""
    first, last = history[0].event, history[-1].event
    assert isinstance(first, TaskCreated)
    assert isinstance(last, TaskCompleted)
    completed: set[str] = set()
    dependencies = {step.name: set(step.dependencies) for step in template.steps}
    for recorded in history:
        event = recorded.event
        if isinstance(event, StepEnqueued):
            missing = dependencies[event.step] - completed
            assert not missing, f"{event.step} was enqueued before {sorted(missing)}"
        elif isinstance(event, StepCompleted):
            assert event.step not in completed, f"{event.step} completed twice"
            completed.add(event.step)
    assert completed == set(dependencies)


def completions(harness: EngineHarness) -> dict[UUID, int]:
    """How often each step of the whole log completed."""
    return dict(
        harness.rows(
            "select originator_id, count(*) from flowledger.event"
            " where topic = 'step.completed' group by originator_id"
        )
    )
