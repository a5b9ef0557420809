"""What a worker and its store exchange: one refused step in a batch, answers that are lost."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.compressor import ZlibCompressor

from flowledger.engine import Engine
from flowledger.engine.events.step import StepCompleted, StepReleased
from flowledger.engine.ports.worker import Claim
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.eventsourcing_recorders import LedgerDatastore, LedgerRecorder
from flowledger.engine.store.worker_store import PostgresWorkerStore
from flowledger.handlers import Workflow
from support.engines import EngineHarness, completions, kinds
from support.manual_worker import ManualWorker

flow = Workflow("batches", "flow", version="1")


@flow.step
def only() -> None:
    """Run by hand here."""


@pytest.fixture
def hands(harness: EngineHarness) -> Generator[Callable[[], ManualWorker]]:
    with ExitStack() as opened:
        yield lambda: ManualWorker(harness, opened, flow)


@pytest.fixture
def coordinator(harness: EngineHarness) -> Engine:
    return harness.open(flow, roles=["coordinator"], coordinator={"begin_ahead_steps": 1_000})


def queued(harness: EngineHarness, coordinator: Engine, count: int) -> list[Any]:
    tasks = coordinator.submit_many(flow, [{}] * count)
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == count)
    return tasks


def states(harness: EngineHarness) -> dict[str, int]:
    return dict(
        harness.rows(
            "select topic, count(*) from flowledger.event where topic like 'step.%%' group by topic"
        )
    )


def test_one_refused_step_does_not_reject_the_ninety_nine_beside_it(
    harness: EngineHarness, coordinator: Engine, hands: Callable[[], ManualWorker]
) -> None:
    tasks = queued(harness, coordinator, 100)
    worker = hands()
    claims = worker.exchange(limit=100).claims
    assert len(claims) == 100
    taken = claims[50]
    someone_else = worker.fact(StepReleased, taken)
    LedgerRecorder(LedgerDatastore(worker.pool)).insert_events(
        [worker.mapper.to_stored_event(someone_else)]
    )

    exchange = worker.exchange([worker.fact(StepCompleted, claim) for claim in claims])

    assert exchange.refused == {taken.step_id}
    counts = completions(harness)
    assert len(counts) == 99
    assert taken.step_id not in counts
    others = [task for task in tasks if task.id != taken.task_id]
    assert {task.wait(30) for task in others} == {"complete"}


def test_facts_that_are_reported_again_are_recognised_and_stored_once(
    harness: EngineHarness, coordinator: Engine, hands: Callable[[], ManualWorker]
) -> None:
    """The answer to the first report was lost."""
    queued(harness, coordinator, 3)
    worker = hands()
    claims = worker.exchange(limit=3).claims
    facts = [worker.fact(StepCompleted, claim) for claim in claims]
    assert worker.exchange(facts).refused == frozenset()

    assert worker.exchange(facts).refused == frozenset()
    assert set(completions(harness).values()) == {1}
    assert len(completions(harness)) == 3


def test_claims_whose_answer_was_lost_are_found_on_the_board(
    harness: EngineHarness, coordinator: Engine, hands: Callable[[], ManualWorker]
) -> None:
    queued(harness, coordinator, 3)
    worker = hands()
    claims = worker.exchange(limit=3).claims

    assert sorted(worker.board.claims_of(worker.identity), key=step) == sorted(claims, key=step)


def step(claim: Claim) -> UUID:
    return claim.step_id


def test_what_builds_on_a_start_that_was_lost_is_refused(
    harness: EngineHarness, coordinator: Engine, hands: Callable[[], ManualWorker]
) -> None:
    (task,) = queued(harness, coordinator, 1)
    worker = hands()
    (claim,) = worker.exchange(limit=1).claims
    lose(harness, claim)

    assert worker.exchange([worker.fact(StepCompleted, claim)]).refused == {claim.step_id}
    assert kinds(task.history(), "only") == ["StepEnqueued"]
    assert harness.value("select count(*) from flowledger.queue where worker_id is null") == 1


def test_a_step_that_is_claimed_anew_is_not_completed_by_its_earlier_attempt(
    harness: EngineHarness, coordinator: Engine, hands: Callable[[], ManualWorker]
) -> None:
    """In one exchange: the outcome of a start that was lost, and the claim of the same step.

    The log would have the completion before the start, which no coordinator could ever fold.
    """
    (task,) = queued(harness, coordinator, 1)
    worker = hands()
    (claim,) = worker.exchange(limit=1).claims
    lose(harness, claim)

    exchange = worker.exchange([worker.fact(StepCompleted, claim)], limit=1)

    assert exchange.claims == [claim]
    assert exchange.refused == frozenset()
    assert kinds(task.history(), "only") == ["StepEnqueued", "StepStarted"]
    assert worker.board.claims_of(worker.identity) == [claim]
    worker.exchange([worker.fact(StepCompleted, claim)])
    assert task.wait(30) == "complete"


@pytest.mark.parametrize(
    "mapper", [EventMapper(), EventMapper(ZlibCompressor())], ids=["plain", "compressed"]
)
def test_a_step_whose_row_was_put_back_while_it_ran_is_not_run_twice(
    harness: EngineHarness,
    coordinator: Engine,
    hands: Callable[[], ManualWorker],
    mapper: EventMapper,
) -> None:
    """In one exchange: the outcome, and a claim of the row that nobody should have put back."""
    queued(harness, coordinator, 1)
    worker = hands()
    worker.board = PostgresWorkerStore(worker.pool, mapper, DatabaseClock())
    coordinator.close()
    (claim,) = worker.exchange(limit=1).claims
    harness.rows("update flowledger.queue set worker_id = null where step_id = %s", claim.step_id)

    exchange = worker.exchange([worker.fact(StepCompleted, claim)], limit=1)

    assert (exchange.claims, exchange.refused) == ([], frozenset())
    assert worker.board.claims_of(worker.identity) == []
    assert completions(harness) == {claim.step_id: 1}


def lose(harness: EngineHarness, claim: Claim) -> None:
    """What a crash of the server does to a claim that was not yet on the disk."""
    harness.rows("set session_replication_role = replica")
    harness.rows(
        "delete from flowledger.event where originator_id = %s and originator_version = %s",
        claim.step_id,
        claim.version,
    )
    harness.rows("update flowledger.queue set worker_id = null where step_id = %s", claim.step_id)
    harness.rows("set session_replication_role = origin")
