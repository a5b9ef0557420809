"""A projector that looks seldom, as nothing happens, learns at once of what others come by looking.

Starts and decisions wake nobody while something happens. Here the looks that make up for lost
notifications are ten minutes apart.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import open_engine
from flowledger.engine.runtime.coordinator import coordinator
from flowledger.engine.runtime.worker import exchanges
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.host import log_looks
from support.engines import PATIENCE, EngineHarness

A_WHILE = 0.2
NEVER = {"poll_seconds": 600.0}
SELDOM = {"idle_poll_seconds": 600.0, "lease_seconds": 36_000.0, "poll_seconds": 0.02}
SHOWN = """
    select bool_and(p.position >= e.position)
    from flowledger.projection as p
    cross join (
        select max(notification_id) as position from flowledger.event where topic = %s
    ) as e
    where p.state = 'serving'
"""

flow = Workflow("asleep", "flow", version="1")
go = Event()


@flow.step
def waits() -> int:
    assert go.wait(PATIENCE)
    return 1


@pytest.fixture(autouse=True)
def _soon_asleep(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    go.clear()
    for module in (log_looks, exchanges, coordinator):
        monkeypatch.setattr(module, "WAKEFUL_SECONDS", A_WHILE)
    yield
    go.set()


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Whether the projector sleeps."""
    sleeps, rest = Event(), log_looks.LogLooks.rests

    def noted(self: log_looks.LogLooks, now: datetime, seconds: float) -> float:
        found = rest(self, now, seconds)
        (sleeps.set if found > 1 else sleeps.clear)()
        return found

    monkeypatch.setattr(log_looks.LogLooks, "rests", noted)
    return sleeps


@pytest.fixture
def leads(harness: EngineHarness, rests: Event) -> Generator[Engine]:
    """A coordinator, and a projector that has nothing to do."""
    settings = harness.settings(projections=SELDOM)
    engine = harness.open(flow, roles=["coordinator"], coordinator=NEVER)
    with open_engine((), ("projector",), settings, projections=BUILTIN):
        harness.until(rests.is_set)
        yield engine


def test_of_a_start_after_a_while(harness: EngineHarness, leads: Engine, rests: Event) -> None:
    leads.submit(flow, {})
    harness.until(lambda: harness.value(SHOWN, "step.enqueued"))
    harness.until(rests.is_set)

    harness.open(flow, roles=["worker"], worker=NEVER)

    harness.until(lambda: harness.value(SHOWN, "step.started"))


def test_of_a_decision_after_a_while(harness: EngineHarness, leads: Engine, rests: Event) -> None:
    leads.submit(flow, {}, start_at=datetime.now(UTC) + timedelta(seconds=4 * A_WHILE))
    harness.until(lambda: harness.value(SHOWN, "task.created"))
    harness.until(rests.is_set)

    harness.until(lambda: harness.value(SHOWN, "step.enqueued"))
