"""A worker's outcome, what follows from it and the next start, in one transaction."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock
from uuid import UUID, uuid4

import pytest

from flowledger.engine.config.sections import CoordinatorSettings
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.errors import DatabaseUnavailable, StreamMoved
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted, StepStarted
from flowledger.engine.ports.worker import Claim
from flowledger.engine.runtime.coordinator.joint_rounds import MOST_SKIPPED
from flowledger.engine.runtime.coordinator.run_cache import RunCache
from flowledger.engine.runtime.coordinator.shards import Shards
from flowledger.engine.store.shard_membership_store import PostgresShardStore
from flowledger.handlers import Workflow
from support.builders import error
from support.engines import PATIENCE, EngineHarness
from support.manual_coordinator import ManualCoordinator

STEPS = 8
A_WHILE = 0.2  # seconds, in which somebody who need not wait is through

chain = Workflow("joint", "chain", version="1")
for number in range(STEPS):
    before = [f"s{number - 1}"] if number else []
    chain.step(after=before, name=f"s{number}")(lambda: None)


@pytest.fixture
def stage(harness: EngineHarness) -> Generator[ManualCoordinator]:
    with ExitStack() as opened:
        yield ManualCoordinator(harness, opened, chain)


@pytest.fixture
def claim(stage: ManualCoordinator) -> Claim:
    """The first step of a task, which is started and known to be."""
    stage.client.submit(chain, {})
    stage.settle()
    (claimed,) = stage.worker.exchange(limit=1).claims
    stage.settle()
    return claimed


def completed(stage: ManualCoordinator, claim: Claim) -> StepCompleted:
    fact: StepCompleted = stage.worker.fact(StepCompleted, claim, result=1)
    return fact


def test_a_chain_is_decided_on_without_reading_the_log_again(
    stage: ManualCoordinator, claim: Claim
) -> None:
    reads: list[object] = []
    stage.ledger.read = reads.append
    task = claim.task_id

    for _ in range(STEPS):
        answer = stage.coordinator.join(stage.worker.part(completed(stage, claim)))
        assert answer is not None
        assert not stage.differences(task)
        claim = answer.claims[0] if answer.claims else claim

    assert len(reads) == 1  # before the first
    assert stage.client.task(task).result(PATIENCE)["s7"] == 1
    assert stage.topics(task).count("started") == STEPS


def test_what_the_next_leader_folds_is_what_was_decided(
    stage: ManualCoordinator, claim: Claim
) -> None:
    answer = stage.coordinator.join(stage.worker.part(completed(stage, claim)))
    assert answer is not None
    (second,) = answer.claims
    stage.coordinator.resign()
    stage.coordinator = stage.another()
    stage.settle()

    answer = stage.coordinator.join(stage.worker.part(completed(stage, second)))

    assert answer is not None
    assert [one.step for one in answer.claims] == ["s2"]
    assert stage.topics(claim.task_id).count("enqueued") == 3


def test_a_coordinator_that_is_at_work_is_waited_for_a_moment_only(
    stage: ManualCoordinator, claim: Claim
) -> None:
    answers: list[object] = []
    part = stage.worker.part(completed(stage, claim))
    with ThreadPoolExecutor(1) as another:
        stage.ledger.read = lambda _: answers.append(
            another.submit(stage.coordinator.join, part).result(PATIENCE)
        )
        stage.settle()

    assert answers
    assert not any(answers)
    assert stage.topics(claim.task_id)[-1] == "started"


def test_who_resigns_waits_for_the_round_that_is_under_way(
    stage: ManualCoordinator, claim: Claim
) -> None:
    resigned: list[Future[None]] = []
    with ThreadPoolExecutor(1) as another:

        def resign(_: Any) -> None:
            resigned.append(another.submit(stage.coordinator.resign))
            assert not wait(resigned, timeout=A_WHILE).done

        stage.ledger.before = resign
        answer = stage.coordinator.join(stage.worker.part(completed(stage, claim)))
        resigned[0].result(PATIENCE)

    assert answer is not None
    assert not stage.coordinator.leads
    assert not stage.differences(claim.task_id)


def test_before_anybody_has_looked_for_shards_nobody_takes_anything(
    stage: ManualCoordinator, claim: Claim
) -> None:
    store, settings = PostgresShardStore(stage.worker.pool, stage.clock), CoordinatorSettings()
    new: Any = Mock()
    shards = Shards(roster=store, identity=uuid4(), settings=settings, new=new, new_loop=new)

    assert shards.join(stage.worker.part(completed(stage, claim))) is None


def test_who_does_not_lead_takes_nothing(stage: ManualCoordinator, claim: Claim) -> None:
    standby = stage.another()
    standby.step()

    assert standby.join(stage.worker.part(completed(stage, claim))) is None
    assert stage.topics(claim.task_id)[-1] == "started"


def test_a_fact_that_came_in_between_refuses_the_round_and_both_are_decided_on(
    stage: ManualCoordinator, claim: Claim
) -> None:
    other = stage.client.submit(chain, {}).id
    stage.settle()
    stage.ledger.before = lambda _: stage.worker.exchange(limit=1)

    refused = stage.coordinator.join(stage.worker.part(completed(stage, claim)))

    assert refused is None
    assert stage.topics(claim.task_id)[-1] == "started"
    stage.ledger.before = lambda _: None
    assert not stage.worker.exchange([completed(stage, claim)]).refused
    stage.settle()
    assert stage.topics(claim.task_id)[-2:] == ["completed", "enqueued"]
    assert stage.topics(other) == ["enqueued", "started"]


def test_after_each_refusal_in_a_row_more_exchanges_go_their_own_way(
    stage: ManualCoordinator, claim: Claim
) -> None:
    tried: list[object] = []
    stage.client.submit_many(chain, [{}] * 8)
    stage.settle()

    def refuse(_: Any) -> None:
        tried.append(stage.worker.exchange(limit=1))

    stage.ledger.before = refuse
    rounds = 0
    for refusals in range(1, 9):
        while len(tried) < refusals:
            assert stage.coordinator.join(stage.worker.part(completed(stage, claim))) is None
            rounds += 1

    assert rounds == sum(min(2**n, MOST_SKIPPED + 1) for n in range(8))
    stage.ledger.before = lambda _: None
    for _ in range(MOST_SKIPPED):
        assert stage.coordinator.join(stage.worker.part(completed(stage, claim))) is None
    assert stage.coordinator.join(stage.worker.part(completed(stage, claim))) is not None


def test_where_the_answer_is_lost_what_is_stored_counts(
    stage: ManualCoordinator, claim: Claim
) -> None:
    def cut(_: Any) -> None:
        raise DatabaseUnavailable("the answer is lost")

    stage.ledger.after = cut
    fact = completed(stage, claim)
    with pytest.raises(DatabaseUnavailable):
        stage.coordinator.join(stage.worker.part(fact))
    stage.ledger.after = lambda _: None

    assert not stage.coordinator.leads
    assert not stage.worker.exchange([fact]).refused  # as it is stored, to the byte
    (second,) = stage.worker.board.claims_of(stage.worker.identity)
    stage.settle()
    assert second.step == "s1"
    assert stage.topics(claim.task_id)[2:] == ["completed", "enqueued", "started"]
    assert not stage.differences(claim.task_id)


def test_an_attempt_that_failed_is_to_be_made_again(stage: ManualCoordinator, claim: Claim) -> None:
    failed = stage.worker.fact(StepAttemptFailed, claim, error=error())

    answer = stage.coordinator.join(stage.worker.part(failed))

    assert answer is not None
    assert answer.claims == []
    assert stage.topics(claim.task_id)[-2:] == ["attempt_failed", "retry_scheduled"]
    assert not stage.differences(claim.task_id)


narrow = Workflow("joint", "narrow", version="1")
narrow.step(name="only", concurrency={"limit": 1})(lambda: None)


def test_what_was_caught_up_with_gives_back_its_slots_though_no_round_comes_of_it(
    harness: EngineHarness,
) -> None:
    with ExitStack() as opened:
        stage = ManualCoordinator(harness, opened, narrow)
        stage.client.submit_many(narrow, [{}, {}])
        stage.settle()
        (claimed,) = stage.worker.exchange(limit=1).claims
        stage.settle()
        done = completed(stage, claimed)
        stage.worker.exchange([done])

        assert stage.coordinator.join(stage.worker.part(done)) is None

        (queued,) = harness.rows("select step_id from flowledger.queue where worker_id is null")
        assert harness.rows("select step_id from flowledger.slot") == [queued]


def test_a_step_that_follows_starts_with_the_round_and_is_no_fact_to_anybody(
    stage: ManualCoordinator, claim: Claim
) -> None:
    first = stage.coordinator.join(stage.worker.part(completed(stage, claim)))
    assert first is not None
    (second,) = first.claims  # by the queue: what else was in it was not known

    answer = stage.coordinator.join(stage.worker.part(completed(stage, second), looks=False))

    assert answer is not None
    assert [one.step for one in answer.claims] == ["s2"]
    assert stage.ledger.stored[-1].starts[0].originator_id == answer.claims[0].step_id
    ((position,),) = stage.harness.rows("select position from flowledger.shard")
    assert stage.ledger.facts(position, 10) == []
    assert not stage.differences(claim.task_id)
    assert stage.worker.board.claims_of(stage.worker.identity) == answer.claims


def test_what_is_queued_and_older_goes_before_what_follows(
    stage: ManualCoordinator, claim: Claim
) -> None:
    """However sure the coordinator was that nothing is in the queue."""
    first = stage.coordinator.join(stage.worker.part(completed(stage, claim)))
    assert first is not None
    (second,) = first.claims
    older = stage.client.submit(chain, {}, priority=9)
    stage.settle()

    answer = stage.coordinator.join(stage.worker.part(completed(stage, second)))

    assert answer is not None
    assert [(one.task_id, one.step) for one in answer.claims] == [(older.id, "s0")]
    assert not stage.ledger.stored[-1].starts


def test_where_the_worker_went_apart_its_starts_are_read(
    stage: ManualCoordinator, claim: Claim
) -> None:
    other = stage.client.submit(chain, {})
    stage.settle()
    first = stage.coordinator.join(stage.worker.part(completed(stage, claim), limit=0))
    assert first is not None
    claims = stage.worker.exchange(limit=2).claims
    stage.coordinator.went_apart()

    facts = [completed(stage, one) for one in claims]
    answer = stage.coordinator.join(stage.worker.part(*facts, limit=2))

    assert answer is not None
    assert {one.step for one in answer.claims} == {"s1", "s2"}
    assert not stage.differences(other.id)


def test_tasks_that_are_created_meanwhile_refuse_nothing_and_are_next(
    stage: ManualCoordinator, claim: Claim
) -> None:
    tasks: list[UUID] = []
    stage.ledger.before = lambda _: tasks.append(stage.client.submit(chain, {}).id)

    answer = stage.coordinator.join(stage.worker.part(completed(stage, claim)))

    assert answer is not None
    stage.ledger.before = lambda _: None
    assert stage.topics(tasks[0]) == []
    stage.settle()
    assert stage.topics(tasks[0]) == ["enqueued"]
    assert stage.harness.rows("select created_from from flowledger.shard") == [(None,)]
    assert not stage.differences(tasks[0])


def test_the_next_round_takes_them_along(stage: ManualCoordinator, claim: Claim) -> None:
    tasks: list[UUID] = []
    stage.ledger.before = lambda _: tasks.append(stage.client.submit(chain, {}).id)
    for _ in range(3):
        answer = stage.coordinator.join(stage.worker.part(completed(stage, claim)))
        assert answer is not None
        claim = answer.claims[0]

    assert [len(stage.topics(task)) for task in tasks] == [1, 1, 0]


def test_who_leads_next_meets_them(stage: ManualCoordinator, claim: Claim) -> None:
    stage.client.submit(chain, {})
    tasks: list[UUID] = []
    stage.ledger.before = lambda _: tasks.append(stage.client.submit(chain, {}).id)
    assert stage.coordinator.join(stage.worker.part(completed(stage, claim))) is not None
    listed = "select count(*) from flowledger_v1.tasks where task_id = %s"
    assert stage.harness.rows(listed, tasks[0]) == [(1,)]
    waiting = "select count(*) from flowledger.submitted_tasks_without_row() where task_id = %s"
    assert stage.harness.rows(waiting, tasks[0]) == [(1,)]

    stage.coordinator.resign()
    stage.coordinator = stage.another()
    stage.settle()

    assert stage.topics(tasks[0]) == ["enqueued"]
    assert list(stage.client.verify()) == []


def test_where_the_round_after_is_refused_they_are_read_again(
    stage: ManualCoordinator, claim: Claim
) -> None:
    tasks: list[UUID] = []
    stage.ledger.before = lambda _: tasks.append(stage.client.submit(chain, {}).id)
    answer = stage.coordinator.join(stage.worker.part(completed(stage, claim)))
    assert answer is not None

    def refuse(_: Any) -> None:
        raise StreamMoved("somebody was first")

    stage.ledger.before = refuse
    fact = completed(stage, answer.claims[0])
    assert stage.coordinator.join(stage.worker.part(fact)) is None
    stage.ledger.before = lambda _: None
    stage.settle()

    assert stage.topics(tasks[0]) == ["enqueued"]


def test_what_failed_while_the_log_was_caught_up_with_is_read_again(
    stage: ManualCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = stage.client.submit(chain, {}).id
    stage.settle()
    (claimed,) = stage.worker.exchange(limit=1).claims  # its start is not read yet
    fold, failed = RunCache.fold, list[object]()

    def once(self: RunCache, event: TaskEvent, position: int) -> TaskRun:
        if isinstance(event, StepStarted) and not failed:
            failed.append(event)
            raise LookupError("what was in memory was wrong")
        return fold(self, event, position)

    monkeypatch.setattr(RunCache, "fold", once)
    fact = completed(stage, claimed)
    assert stage.coordinator.join(stage.worker.part(fact)) is None
    assert not stage.worker.exchange([fact]).refused
    stage.settle()

    assert failed
    assert stage.topics(task)[-2:] == ["completed", "enqueued"]
    assert not stage.coordinator.parked
    assert not stage.differences(task)


def test_a_row_that_speaks_of_tasks_left_behind_where_there_are_none_is_set_right(
    stage: ManualCoordinator, claim: Claim
) -> None:
    stage.harness.rows("update flowledger.shard set created_from = -7")
    stage.coordinator.resign()
    stage.coordinator = stage.another()

    stage.settle()

    assert stage.harness.rows("select created_from from flowledger.shard") == [(None,)]
    assert not stage.coordinator.parked
    assert not stage.differences(claim.task_id)
