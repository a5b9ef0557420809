"""A worker's trust in its lease ends before the database gives its steps away."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.errors import StatementRefused
from flowledger.engine.runtime.worker.executor import HandlerExecutor
from flowledger.engine.runtime.worker.handler_table import HandlerTable
from flowledger.engine.runtime.worker.worker import Worker
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.notifications import ProcessWakeup
from flowledger.engine.store.transactional_steps import PostgresTransactions
from flowledger.engine.store.uuid_generator import Identifiers
from flowledger.engine.store.worker_store import PostgresWorkerStore
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

LEASE, MARGIN = 60.0, 12.0
HELD = "select lease_until > flowledger.clock() from flowledger.worker"
CLAIMED = "select count(*) from flowledger.queue where worker_id is not null"

flow = Workflow("trust", "flow", version="1")


@flow.step
def only() -> None:
    """Claimed, or not."""


class Loop:
    """The real worker, stepped by hand."""

    def __init__(self, harness: EngineHarness, opened: ExitStack) -> None:
        settings = harness.settings(
            worker={"lease_seconds": LEASE, "lease_margin_seconds": MARGIN, "concurrency": 1}
        )
        pool = opened.enter_context(engine_pool(harness.url, settings))
        mapper, self._clock, self._harness = EventMapper(), DatabaseClock(), harness
        transactions = PostgresTransactions(harness.url, pool, mapper, settings)
        opened.callback(transactions.close)
        self.wakeup = ProcessWakeup()
        self.worker = Worker(
            store=PostgresWorkerStore(pool, mapper, self._clock),
            handlers=HandlerTable([flow]),
            executor=partial(HandlerExecutor, transactions=transactions),
            clock=self._clock,
            new_id=Identifiers().new,
            wakeup=self.wakeup,
            notify=lambda _: None,
            settings=settings.worker,
        )
        opened.callback(self.worker.close)

    def pass_time(self, seconds: float) -> None:
        """Time goes on for everybody, and the worker renews nothing meanwhile."""
        self._harness.move_clock(f"{seconds} seconds")
        self._clock.observe(self._harness.value("select flowledger.clock()"))


@pytest.fixture
def loop(harness: EngineHarness) -> Generator[Loop]:
    with ExitStack() as opened:
        yield Loop(harness, opened)


@pytest.fixture
def queued(harness: EngineHarness) -> Any:
    """A task whose step waits for a worker."""
    coordinator = harness.open(flow, roles=["coordinator"])
    task = coordinator.submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    return task


def test_within_its_trust_a_worker_claims(harness: EngineHarness, loop: Loop, queued: Any) -> None:
    loop.worker.renew()
    loop.pass_time(LEASE - MARGIN - 1)

    loop.worker.step(frozenset({"queue"}))

    assert harness.value(CLAIMED) == 1


def test_from_the_margin_on_it_claims_nothing_although_the_database_would_let_it(
    harness: EngineHarness, loop: Loop, queued: Any
) -> None:
    loop.worker.renew()
    loop.pass_time(LEASE - MARGIN)
    assert harness.value(HELD)

    loop.worker.step(frozenset({"queue"}))

    assert harness.value(CLAIMED) == 0
    loop.worker.renew()
    loop.worker.step(frozenset({"queue"}))
    assert harness.value(CLAIMED) == 1


def test_once_it_is_trusted_again_it_looks_for_what_it_did_not_claim(
    loop: Loop, queued: Any
) -> None:
    loop.worker.renew()
    loop.worker.step()
    loop.wakeup.wait(0)
    loop.pass_time(LEASE)
    loop.worker.step()

    loop.worker.renew()

    assert loop.wakeup.wait(0) == {"queue"}


def test_a_renewal_by_which_the_clock_goes_beyond_the_lease_is_followed_by_another_at_once(
    harness: EngineHarness, loop: Loop, queued: Any
) -> None:
    loop.worker.renew()
    harness.move_clock(f"{10 * LEASE} seconds")

    assert loop.worker.renew() == 0
    assert 0 < loop.worker.renew() < LEASE

    loop.worker.step(frozenset({"queue"}))
    assert harness.value(CLAIMED) == 1


def test_a_claim_that_finds_the_lease_ended_has_it_renewed(
    harness: EngineHarness, loop: Loop, queued: Any
) -> None:
    asked: list[None] = []
    loop.worker.on_lease_ended = lambda: asked.append(None)
    loop.worker.renew()
    harness.move_clock(f"{10 * LEASE} seconds")

    loop.worker.step(frozenset({"queue"}))

    assert asked
    assert harness.value(CLAIMED) == 0


def test_a_worker_goes_on_at_once_where_the_servers_clock_is_set_forward(
    harness: EngineHarness,
) -> None:
    """Its next renewal, were it not hastened, would be due after the test's patience."""
    harness.open(flow, roles=["worker"], worker={"lease_seconds": 20 * PATIENCE})
    client = harness.open(flow, roles=["coordinator"])
    client.submit(flow, {}).result(PATIENCE)
    harness.rows("update flowledger.clock_offset set shift = '1 hour'")  # and nobody is told

    assert client.submit(flow, {}).wait(PATIENCE) is TaskState.COMPLETE


def test_a_clock_that_a_renewal_puts_back_lengthens_no_trust(
    harness: EngineHarness, loop: Loop, queued: Any
) -> None:
    loop.pass_time(3_600)
    loop.worker.renew()
    harness.move_clock("-1 hour")

    assert 0 < loop.worker.renew() < LEASE

    loop.pass_time(LEASE - MARGIN)
    loop.worker.step(frozenset({"queue"}))
    assert harness.value(CLAIMED) == 0


def test_a_lease_that_is_lost_is_told_once_however_many_renewals_fail(
    harness: EngineHarness, loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowledger")
    loop.worker.renew()
    loop.pass_time(LEASE)
    harness.rows("alter function flowledger.heartbeat_worker rename to away")
    for _ in range(3):
        with pytest.raises(StatementRefused):
            loop.worker.renew()
    harness.rows("alter function flowledger.away rename to heartbeat_worker")
    assert caplog.text.count("worker.lease_lost") == 1

    loop.worker.renew()
    loop.pass_time(LEASE)
    loop.worker.renew()

    assert caplog.text.count("worker.lease_lost") == 2


def test_two_renewals_may_fail_before_the_trust_ends(harness: EngineHarness, loop: Loop) -> None:
    renew_in = loop.worker.renew()

    assert 2 * renew_in < LEASE - MARGIN
    assert 3 * renew_in <= LEASE - MARGIN + 0.001
