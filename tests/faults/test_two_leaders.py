"""Two coordinators that both believe they lead: only one of them decides."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.errors import LeadershipLost, StreamMoved
from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.runtime.coordinator.coordinator import Coordinator
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.coordinator_store import PostgresCoordinatorStore
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.handlers import Workflow
from support.engines import EngineHarness, kinds

flow = Workflow("leaders", "flow", version="1")


@flow.step
def only() -> None:
    """Nothing: no worker runs here."""


class Office:
    """Coordinators without a thread, each with a pool and a clock of its own."""

    def __init__(self, harness: EngineHarness, opened: ExitStack) -> None:
        self._harness = harness
        self._opened = opened

    def ledger(self, clock: DatabaseClock) -> PostgresCoordinatorStore:
        settings = self._harness.settings()
        pool = self._opened.enter_context(engine_pool(self._harness.url, settings))
        return PostgresCoordinatorStore(
            pool, EventMapper(), clock, settings.coordinator.lease_seconds
        )

    def coordinator(self) -> Coordinator:
        clock = DatabaseClock()
        return Coordinator(
            store=self.ledger(clock),
            clock=clock,
            notify=lambda _: None,
            identity=uuid4(),
            settings=self._harness.settings().coordinator,
        )


@pytest.fixture
def office(harness: EngineHarness) -> Generator[Office]:
    with ExitStack() as opened:
        yield Office(harness, opened)


@pytest.fixture
def client(harness: EngineHarness) -> Engine:
    return harness.open(flow, roles=())


def shard(harness: EngineHarness) -> tuple[Any, ...]:
    (row,) = harness.rows("select position, epoch, leader from flowledger.shard")
    return row


def test_of_two_that_believe_to_lead_the_first_stores_nothing_any_more(
    harness: EngineHarness, office: Office, client: Engine
) -> None:
    first, second = office.coordinator(), office.coordinator()
    first.step()
    harness.move_clock("1 hour")
    second.step()
    assert first.leads
    assert second.leads
    task = client.submit(flow, {})
    before, stored = shard(harness), harness.counts()

    first.step()

    assert not first.leads
    assert (shard(harness), harness.counts()) == (before, stored)
    second.step()
    assert second.leads
    assert kinds(task.history()) == ["TaskCreated", "TaskStarted", "StepEnqueued"]


def test_a_coordinator_stands_by_while_another_leads(
    harness: EngineHarness, office: Office, client: Engine
) -> None:
    first, second = office.coordinator(), office.coordinator()
    first.step()
    task = client.submit(flow, {})

    second.step()

    assert not second.leads
    assert kinds(task.history()) == ["TaskCreated"]


def test_after_one_resigns_another_leads_at_once(
    harness: EngineHarness, office: Office, client: Engine
) -> None:
    first, second = office.coordinator(), office.coordinator()
    first.step()
    first.resign()
    task = client.submit(flow, {})

    second.step()

    assert second.leads
    assert kinds(task.history())[-1] == "StepEnqueued"


def test_one_that_was_silent_past_its_lease_leads_again_where_nobody_else_does(
    harness: EngineHarness, office: Office, client: Engine
) -> None:
    first = office.coordinator()
    first.step()
    harness.move_clock("1 hour")
    task = client.submit(flow, {})

    first.step()

    assert first.leads
    assert shard(harness)[1] == 1
    assert kinds(task.history())[-1] == "StepEnqueued"


@pytest.mark.parametrize(("epoch", "old"), [(0, 0), (2, 0), (1, 7)])
def test_a_commit_with_another_epoch_or_position_is_refused(
    harness: EngineHarness, office: Office, epoch: int, old: int
) -> None:
    ledger = office.ledger(DatabaseClock())
    ledger.lead(uuid4(), 10)
    before = shard(harness)

    with pytest.raises(LeadershipLost):
        ledger.commit(Commit(epoch=epoch, old=old, new=9))

    assert shard(harness) == before


def test_a_commit_about_a_stream_that_moved_is_refused_as_a_whole(
    harness: EngineHarness, office: Office, client: Engine
) -> None:
    """Its events were appended by someone else first: not even the position moves."""
    ledger = office.ledger(DatabaseClock())
    leadership = ledger.lead(uuid4(), 10)
    assert leadership
    task = client.submit(flow, {})
    created = task.history()[0].event
    before, stored = shard(harness), harness.counts()

    with pytest.raises(StreamMoved):
        ledger.commit(Commit(epoch=leadership.epoch, old=0, new=9, events=[created]))

    assert (shard(harness), harness.counts()) == (before, stored)
