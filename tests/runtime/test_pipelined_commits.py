"""A coordinator under load: it decides the next batch while a commit is under way."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from threading import Event, Thread
from typing import Any

import pytest

from flowledger.engine.errors import DatabaseUnavailable, LeadershipLost
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted, StepError
from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.ports.worker import Claim
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, completions
from support.manual_coordinator import CLOCK, ManualCoordinator

flow = Workflow("hurry", "flow", version="1")
timed = Workflow("hurry", "timed", version="1")
NO = StepError(error_class="ValueError", message="no", category="unknown", retryable=True)
ENQUEUED_ANEW = ["enqueued", "started", "lease_expired", "enqueued"]


@flow.step(retry=Retry(backoff="none"))
def only() -> None:
    """Run by hand here."""


@timed.step(timeout=3_600)
def limited() -> None:
    """Run by hand here, within the hour."""


@pytest.fixture
def stages(harness: EngineHarness) -> Generator[Callable[..., ManualCoordinator]]:
    with ExitStack() as opened:
        yield lambda flow, **settings: ManualCoordinator(
            harness, opened, flow, **{"pipeline_events": 1, **settings}
        )


@pytest.fixture
def stage(stages: Callable[..., ManualCoordinator]) -> ManualCoordinator:
    return stages(flow)


def claimed(stage: ManualCoordinator, count: int = 1) -> list[Claim]:
    """Tasks whose one step the worker has claimed; the coordinator does not know of it yet."""
    stage.client.submit_many(stage.flow, [{}] * count)
    stage.settle()
    claims = stage.worker.exchange(limit=count).claims
    assert len(claims) == count
    return list(claims)


def complete(stage: ManualCoordinator, *claims: Claim) -> None:
    stage.worker.exchange([stage.worker.fact(StepCompleted, claim) for claim in claims])


def held_back(stage: ManualCoordinator) -> Event:
    """From now on commits wait until the event is set."""
    may_go = Event()

    def wait(_: Commit) -> None:
        assert may_go.wait(PATIENCE)

    stage.ledger.before = wait
    return may_go


def raising(error: Exception) -> Callable[[Any], None]:
    def fail(_: Any) -> None:
        raise error

    return fail


def test_a_row_says_that_a_step_runs_with_the_batch_that_read_its_start(
    stages: Callable[..., ManualCoordinator],
) -> None:
    stage = stages(timed)
    (claim,) = claimed(stage)

    stage.coordinator.step()
    stage.harness.until(lambda: len(stage.ledger.stored) == 2)

    assert stage.row(claim.task_id) == ("in_progress", 2)
    assert stage.harness.value("select kind from flowledger.timer") == "timeout"
    assert stage.differences(claim.task_id) == []


def test_the_next_batch_is_read_while_a_commit_is_under_way_and_sent_after_it(
    stage: ManualCoordinator,
) -> None:
    claims = claimed(stage, 2)
    complete(stage, claims[0])
    may_go = held_back(stage)
    read: list[int] = []
    assert stage.coordinator.step() == 0
    complete(stage, claims[1])

    def seen(found: Any) -> None:
        read.append(len(found))
        may_go.set()

    stage.ledger.read = seen
    assert stage.coordinator.step() == 0
    stage.settle()

    assert read[0] == 1
    positions = [(one.old, one.new) for one in stage.ledger.stored]
    assert [old for old, _ in positions[1:]] == [new for _, new in positions[:-1]]
    assert set(completions(stage.harness).values()) == {1}


def test_a_refused_commit_takes_the_batch_behind_it_along_and_both_are_decided_anew(
    stage: ManualCoordinator,
) -> None:
    """The lease of one step runs out while it completes; the other batch is innocent."""
    lost, other = claimed(stage, 2)
    stage.coordinator.step()
    stage.settle()
    stage.client.submit(flow, {})  # a fact, so that it hurries
    stage.silence()
    may_go = held_back(stage)
    assert stage.coordinator.step(CLOCK) == 0
    stage.ledger.read = lambda _: may_go.set()
    stage.worker.board.renew(stage.worker.identity, 36_000)
    complete(stage, lost, other)
    before = len(stage.ledger.stored)

    assert stage.coordinator.step() == 0

    assert len(stage.ledger.stored) == before
    stage.settle()
    for claim in (lost, other):
        assert stage.topics(claim.task_id) == ["enqueued", "started", "completed"]
        assert stage.differences(claim.task_id) == []
    assert stage.harness.value("select count(*) from flowledger.task where ended_at is null") == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_to_a_commit_beside_is_raised_and_nothing_is_decided_twice(
    stage: ManualCoordinator, when: str
) -> None:
    (claim,) = claimed(stage)
    complete(stage, claim)
    setattr(stage.ledger, when, raising(DatabaseUnavailable("cut off")))
    assert stage.coordinator.step() == 0

    with pytest.raises(DatabaseUnavailable):
        stage.coordinator.step()

    assert not stage.coordinator.leads
    setattr(stage.ledger, when, lambda _: None)
    stage.settle()
    assert stage.harness.rows(
        "select topic, count(*) from flowledger.event where topic like 'task.%%'"
        " group by topic order by topic"
    ) == [("task.completed", 1), ("task.created", 1), ("task.started", 1)]
    assert stage.differences(claim.task_id) == []


def test_one_that_no_longer_leads_learns_it_from_the_commit_beside(
    stage: ManualCoordinator,
) -> None:
    (claim,) = claimed(stage)
    complete(stage, claim)
    stage.ledger.before = raising(LeadershipLost("another leads"))
    assert stage.coordinator.step() == 0
    assert stage.coordinator.leads

    assert stage.coordinator.step() > 0

    assert not stage.coordinator.leads
    stage.ledger.before = lambda _: None
    stage.settle()
    assert stage.differences(claim.task_id) == []
    assert stage.harness.value("select count(*) from flowledger.task where ended_at is null") == 0


def test_one_that_resigns_waits_for_what_is_under_way(stage: ManualCoordinator) -> None:
    (claim,) = claimed(stage)
    complete(stage, claim)
    may_go = held_back(stage)
    stage.coordinator.step()
    resign, stored = stage.ledger.resign, list[int]()

    def resigned(epoch: int) -> None:
        stored.append(len(stage.ledger.stored))
        resign(epoch)

    stage.ledger.resign = resigned  # type: ignore[method-assign]
    resigning = Thread(target=stage.coordinator.resign)
    resigning.start()
    assert stage.harness.value("select leader from flowledger.shard") is not None

    may_go.set()
    resigning.join(PATIENCE)

    assert stored == [2]
    assert stage.harness.value("select state from flowledger.task") == "complete"
    assert stage.harness.value("select leader from flowledger.shard") is None


def test_one_that_lost_its_lead_and_has_it_again_writes_nothing_of_before(
    stage: ManualCoordinator,
) -> None:
    """Another led meanwhile, and gave the step to others."""
    (claim,) = claimed(stage)
    stage.coordinator.step()
    stage.harness.until(lambda: len(stage.ledger.stored) == 2)
    stage.harness.move_clock("1 day")
    second = stage.another()
    while not second.step(CLOCK):
        pass
    assert stage.topics(claim.task_id) == ENQUEUED_ANEW
    second.resign()
    stage.clock.observe(stage.harness.value("select flowledger.clock()"))

    stage.settle()

    assert stage.coordinator.leads
    assert stage.row(claim.task_id) == ("enqueued", 4)
    assert stage.differences(claim.task_id) == []


@pytest.mark.parametrize("hurry", [1, 1_000])
def test_a_row_that_lingers_in_the_queue_costs_one_conflict(
    stages: Callable[..., ManualCoordinator], hurry: int
) -> None:
    stage = stages(flow, pipeline_events=hurry)
    (claim,) = claimed(stage)
    stage.worker.exchange([stage.worker.fact(StepAttemptFailed, claim, error=NO)])
    stage.harness.rows(
        "insert into flowledger.queue (step_id, task_id, template_id, stream_version, sort_key,"
        " attempt, resets, step) values (%s, %s, %s, 1, 0, 1, 0, 'only')",
        *(claim.step_id, claim.task_id, claim.template_id),
    )
    tried: list[Commit] = []
    stage.ledger.before = tried.append

    stage.settle()

    assert len(tried) - len(stage.ledger.stored) + 1 == 1
    assert stage.harness.rows("select stream_version, attempt from flowledger.queue") == [(4, 2)]
    complete(stage, *stage.worker.exchange(limit=1).claims)
    stage.settle()
    assert stage.topics(claim.task_id)[2:] == [
        "attempt_failed",
        "enqueued",
        "started",
        "completed",
    ]
    assert stage.differences(claim.task_id) == []


def test_only_after_a_conflict_are_rows_dropped_before_they_are_queued(
    stage: ManualCoordinator,
) -> None:
    (claim,) = claimed(stage)
    stage.worker.exchange([stage.worker.fact(StepAttemptFailed, claim, error=NO)])
    stage.settle()

    assert any(one.queued for one in stage.ledger.stored)
    assert [one.dropped for one in stage.ledger.stored if one.dropped] == []


def test_the_queue_is_vacuumed_after_so_many_steps(
    stages: Callable[..., ManualCoordinator],
) -> None:
    stage = stages(flow, vacuum_every_steps=3)
    stage.client.submit_many(flow, [{}] * 2)
    stage.settle()
    assert stage.ledger.vacuums == 0
    stage.client.submit_many(flow, [{}])
    stage.settle()

    stage.harness.until(lambda: stage.ledger.vacuums == 1)
