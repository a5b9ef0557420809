"""A coordinator among others: it asks when it is told to, and passes over what is not its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest

from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.domain.shard_assignment import ShardLease, shard_of
from flowledger.engine.ports.coordinator import Leadership
from flowledger.engine.runtime.coordinator.coordinator import Coordinator
from flowledger.engine.runtime.coordinator.shards import next_look
from flowledger.engine.runtime.coordinator.should_lead_shard import WantedShard
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.shard_membership_store import PostgresShardStore
from flowledger.handlers import Workflow
from support.engines import EngineHarness
from support.manual_coordinator import CLOCK, InterferedStore, nothing

flow = Workflow("seats", "flow", version="1")
ME, OTHER = UUID(int=1), UUID(int=2)


@flow.step
def only() -> None:
    """Nothing: no worker runs here."""


class AskedLedger(InterferedStore):
    """One of two shards; remembers how often the lease was asked for."""

    asked = 0

    def __init__(self, pool: Any, clock: DatabaseClock, shard: int) -> None:
        super().__init__(pool, clock)
        self._shard, self._shards = shard, 2

    def lead(self, leader: UUID, lease_seconds: float) -> Leadership | None:
        self.asked += 1
        return super().lead(leader, lease_seconds)


class Shop:
    """Coordinators of two shards, each with a seat."""

    def __init__(self, harness: EngineHarness, opened: ExitStack) -> None:
        self.harness = harness
        self.pool = opened.enter_context(engine_pool(harness.url, harness.settings()))
        self.client = harness.open(flow, roles=())
        PostgresShardStore(self.pool, DatabaseClock()).resize(2, actor="ann", reason="load")

    def coordinator(self, shard: int) -> tuple[Coordinator, WantedShard, AskedLedger]:
        clock, seat = DatabaseClock(), WantedShard(shard)
        ledger = AskedLedger(self.pool, clock, shard)
        settings = self.harness.settings(coordinator={"lease_seconds": 36_000.0}).coordinator
        coordinator = Coordinator(
            store=ledger,
            clock=clock,
            notify=nothing,
            identity=uuid4(),
            settings=settings,
            assignment=seat,
        )
        return coordinator, seat, ledger

    def submit(self, shard: int, count: int) -> None:
        """Tasks of that shard only."""
        while count:
            task = self.client.submit(flow, {})
            count -= shard_of(task.id, 2) == shard

    def position(self, shard: int) -> int:
        found: int = self.harness.value(
            "select position from flowledger.shard where shard = %s", shard
        )
        return found


@pytest.fixture
def shop(harness: EngineHarness) -> Generator[Shop]:
    with ExitStack() as opened:
        yield Shop(harness, opened)


def test_one_that_is_not_wanted_asks_for_nothing(shop: Shop) -> None:
    coordinator, seat, ledger = shop.coordinator(0)
    coordinator.step(CLOCK)
    assert (ledger.asked, coordinator.leads) == (0, False)

    seat.assign(wanted=True)
    coordinator.step()

    assert coordinator.leads


def test_one_that_was_refused_asks_again_only_when_it_is_told(shop: Shop) -> None:
    first, first_seat, _ = shop.coordinator(0)
    second, second_seat, asked = shop.coordinator(0)
    first_seat.assign(wanted=True)
    first.step()
    second_seat.assign(wanted=True)

    for _ in range(5):
        second.step(frozenset({"fact"}))

    assert (asked.asked, second.leads) == (1, False)
    first.resign()
    second_seat.assign(wanted=True)
    second.step()
    assert second.leads


def test_one_that_is_not_wanted_any_more_gives_its_shard_up(shop: Shop) -> None:
    coordinator, seat, _ = shop.coordinator(1)
    seat.assign(wanted=True)
    coordinator.step()

    seat.assign(wanted=False)
    coordinator.step()

    assert not coordinator.leads
    assert shop.harness.value("select leader from flowledger.shard where shard = 1") is None


def test_facts_of_others_are_passed_over_and_cost_no_commit_each(shop: Shop) -> None:
    coordinator, seat, ledger = shop.coordinator(0)
    seat.assign(wanted=True)
    while not coordinator.step(CLOCK):
        pass
    stored = len(ledger.stored)
    for _ in range(4):
        shop.submit(1, 1)
        while not coordinator.step(frozenset({"fact"})):
            pass
    after_facts = len(ledger.stored)
    own = shop.harness.value(
        "select count(*) from flowledger.task where flowledger.shard_of(task_id, 2) = 0"
    )
    assert after_facts - stored <= own

    while not coordinator.step(CLOCK):
        pass

    last = shop.harness.value("select max(notification_id) from flowledger.event")
    assert shop.position(0) == last
    assert len(ledger.stored) <= after_facts + 1
    foreign = "select count(*) from flowledger.task where flowledger.shard_of(task_id, 2) = 1"
    assert shop.harness.value(foreign) == 0


@pytest.mark.parametrize(
    ("lease", "seconds"),
    [
        pytest.param(ShardLease(0, OTHER, 5.0), 1.0, id="another leads for long"),
        pytest.param(ShardLease(0, OTHER, 0.25), 0.28, id="a lease runs out soon"),
        pytest.param(ShardLease(0, OTHER, -0.25), 0.78, id="one has run out and is not taken yet"),
        pytest.param(ShardLease(0, None, -9.0), 1.0, id="one has been free for long"),
        pytest.param(ShardLease(0, ME, 0.25), 1.0, id="its own it renews elsewhere"),
    ],
)
def test_the_next_look_is_when_something_may_have_changed(
    lease: ShardLease, seconds: float
) -> None:
    assert next_look(ME, [lease], 1.0, 1.0) == pytest.approx(seconds)


def test_one_that_is_told_of_shards_asks_whether_it_still_leads(shop: Shop) -> None:
    coordinator, seat, ledger = shop.coordinator(0)
    seat.assign(wanted=True)
    coordinator.step()
    coordinator.step()
    assert ledger.asked == 1

    coordinator.step(frozenset({"shard"}))

    assert ledger.asked == 2
