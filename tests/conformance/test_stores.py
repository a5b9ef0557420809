"""What the loops rely on in a store, whichever it is: the coordinator's side and the worker's."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from board import new_id
from conformance.stores import LEASE, Stores
from given import error

from flowledger.engine.domain.events import (
    StepCheckpointed,
    StepCompleted,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepStarted,
    TaskCreated,
)
from flowledger.engine.domain.ids import step_id
from flowledger.engine.errors import LeadershipLost, StreamMoved, UnknownTemplate
from flowledger.engine.ports import Claim, Due, Held


def kinds(store: Stores, task: UUID) -> list[str]:
    return [type(recorded.event).__name__ for recorded in store.tasks.history(task)]


def claimed(store: Stores, **changed: object) -> Claim:
    store.queued(**changed)
    (claim,) = store.exchange(limit=1).claims
    return claim


def completed(store: Stores, claim: Claim, version: int | None = None) -> StepCompleted:
    version = version or claim.version + 1
    return store.event(StepCompleted, claim.task_id, version, attempt=claim.attempt, result=7)


# Leading


def test_one_leads_until_its_lease_runs_out(store: Stores) -> None:
    other = new_id()
    assert store.ledger.lead(other, LEASE) is None

    store.move(LEASE + 1)

    found = store.ledger.lead(other, LEASE)
    assert found is not None
    assert found.epoch == store.epoch + 1
    assert store.ledger.lead(store.leader, LEASE) is None


def test_the_leader_stays_in_its_epoch(store: Stores) -> None:
    again = store.ledger.lead(store.leader, LEASE)

    assert again is not None
    assert again.epoch == store.epoch


def test_who_resigns_lets_another_lead_at_once(store: Stores) -> None:
    store.ledger.resign(store.epoch)

    found = store.ledger.lead(new_id(), LEASE)
    assert found is not None
    assert found.epoch == store.epoch + 1


def test_an_earlier_epoch_cannot_resign(store: Stores) -> None:
    store.ledger.resign(store.epoch - 1)

    assert store.ledger.lead(new_id(), LEASE) is None


def test_a_commit_renews_the_lease(store: Stores) -> None:
    store.move(LEASE - 1)
    store.commit(to=1)
    store.move(LEASE - 1)

    assert store.ledger.lead(new_id(), LEASE) is None


# Committing


def test_a_commit_is_refused_at_another_position(store: Stores) -> None:
    store.commit(to=3)
    store.position = 0

    with pytest.raises(LeadershipLost):
        store.commit(to=5)


def test_a_commit_is_refused_in_another_epoch(store: Stores) -> None:
    store.epoch -= 1

    with pytest.raises(LeadershipLost):
        store.commit(to=5)


def test_a_refused_commit_stores_nothing(store: Stores) -> None:
    task = store.submitted()
    taken = store.event(StepEnqueued, task, 1)
    store.commit(events=[taken])
    stands = store.position

    with pytest.raises(StreamMoved):
        store.commit(
            to=9,
            events=[store.event(StepEnqueued, task, 1, "left"), store.event(StepEnqueued, task, 1)],
            queued=[store.queue_row(task)],
            steps=[store.step_row(task)],
            tasks=[store.task_row(task)],
        )

    assert kinds(store, task) == ["TaskCreated", "StepEnqueued"]
    assert store.tasks.task(task) is None
    assert store.tasks.steps(task) == []
    assert store.exchange(limit=1).claims == []
    found = store.ledger.lead(store.leader, LEASE)
    assert found is not None
    assert found.position == stands


def test_a_step_is_not_queued_twice(store: Stores) -> None:
    (task,) = store.queued()

    with pytest.raises(StreamMoved):
        store.commit(queued=[store.queue_row(task, version=4)])

    store.commit(dropped=[step_id(task, "start")], queued=[store.queue_row(task, version=4)])
    assert [claim.version for claim in store.exchange(limit=5).claims] == []  # the log is behind


def test_rows_are_stored_as_they_are(store: Stores) -> None:
    (task,) = store.queued()

    row = store.tasks.task(task)
    assert row is not None
    assert (row.state, row.stream_version, row.paused, row.ended_at) == (
        "in_progress",
        2,
        False,
        None,
    )
    (step,) = store.tasks.steps(task)
    assert (step.step, step.state, step.attempt, step.stream_version) == ("start", "enqueued", 0, 1)


# Reading the log


def test_facts_come_in_order_and_without_decisions(store: Stores) -> None:
    first, second = store.submitted(), store.submitted()
    store.commit(events=[store.event(StepEnqueued, first, 1)])
    third = store.submitted()

    facts = store.ledger.facts(0, 10)

    assert [fact.event.task_id for fact in facts] == [first, second, third]
    assert [fact.position for fact in facts] == sorted(fact.position for fact in facts)
    assert store.ledger.facts(facts[1].position, 10) == facts[2:]
    assert store.ledger.facts(0, 1) == facts[:1]


def test_one_shard_passes_over_nothing(store: Stores) -> None:
    store.submitted()

    assert store.ledger.passed(0) == 0


def test_the_history_of_a_task_ends_with_facts_at_a_position_and_has_all_decisions(
    store: Stores,
) -> None:
    task = store.submitted()
    position = store.ledger.facts(0, 10)[-1].position
    store.commit(events=[store.event(StepEnqueued, task, 1)], queued=[store.queue_row(task)])
    store.exchange(limit=1)
    store.commit(events=[store.event(StepLeaseExpired, task, 3, worker=store.worker)])

    names = [type(event).__name__ for event in store.ledger.task_events(task, position)]

    assert names == ["TaskCreated", "StepEnqueued", "StepLeaseExpired"]
    assert kinds(store, task)[2] == "StepStarted"


def test_a_template_is_found_or_unknown(store: Stores) -> None:
    assert store.ledger.template(store.template.template_id) == store.template
    with pytest.raises(UnknownTemplate):
        store.ledger.template(new_id())


# What time asks for


def test_timers_ring_when_they_are_due(store: Stores) -> None:
    task = store.submitted()
    due_at = store.now() + timedelta(seconds=10)
    store.commit(timers=[store.timer_row(task, due_at)])
    assert store.ledger.due(10, orphans=False) == Due([], [], due_at)

    store.move(11)

    due = store.ledger.due(10, orphans=False)
    assert due.timers == [(task, "start", "retry")]
    store.commit(untimed=[step_id(task, "start")])
    assert store.ledger.due(10, orphans=False) == Due([], [], None)


def test_a_step_has_one_timer(store: Stores) -> None:
    task = store.submitted()
    now = store.now()
    store.commit(timers=[store.timer_row(task, now - timedelta(seconds=5))])
    later = now + timedelta(seconds=50)
    store.commit(timers=[store.timer_row(task, later)])

    assert store.ledger.due(10, orphans=False) == Due([], [], later)


def test_steps_of_a_silent_worker_are_lost(store: Stores) -> None:
    claim = claimed(store)
    assert store.ledger.due(10, orphans=True).lost == []

    store.move(LEASE + 1)

    lost = [(claim.task_id, "start", store.worker)]
    assert store.ledger.due(10, orphans=False).lost == lost


def test_steps_of_an_unknown_worker_are_lost_where_one_looks_for_orphans(store: Stores) -> None:
    claim = claimed(store)
    store.board.retire(store.worker)
    store.board.renew(store.worker, LEASE)
    assert store.ledger.due(10, orphans=True).lost == []

    store.board.retire(store.worker)

    assert [step for step, _, _ in store.ledger.due(10, orphans=True).lost] == [claim.task_id]


def test_a_step_that_is_not_in_the_queue_is_found(store: Stores) -> None:
    (task,) = store.queued()
    assert store.ledger.unqueued(10) == []

    store.commit(dropped=[step_id(task, "start")])

    assert store.ledger.unqueued(10) == [(task, "start")]
    store.commit(tasks=[store.task_row(task, ended_at=store.now())])
    assert store.ledger.unqueued(10) == []


# Claiming and reporting


def test_claims_come_by_turn_and_then_in_the_order_of_the_queue(store: Stores) -> None:
    (last,) = store.queued(turn=9.0)
    first, second = store.queued(2, turn=1.0)

    claims = [store.exchange(limit=1).claims[0].task_id for _ in range(3)]

    assert claims == [first, second, last]
    assert store.exchange(limit=1).claims == []


def test_a_claim_starts_the_step_in_the_log(store: Stores) -> None:
    claim = claimed(store, resets=2)

    assert (claim.version, claim.attempt, claim.step, claim.resets) == (2, 1, "start", 2)
    assert claim.correlation_id == str(claim.task_id)
    (started,) = store.tasks.history(claim.task_id)[2:]
    assert isinstance(started.event, StepStarted)
    assert (started.event.worker, started.event.originator_version) == (store.worker, 2)


def test_only_steps_of_known_templates_are_claimed(store: Stores) -> None:
    store.queued()

    found = store.board.exchange(store.worker, (), [new_id()], 5, store.started, quiet=True)

    assert found.claims == []


def test_an_outcome_releases_the_step(store: Stores) -> None:
    claim = claimed(store)

    assert store.exchange(completed(store, claim)).refused == frozenset()

    assert store.board.held(store.worker) == []
    assert store.board.results([claim.step_id]) == {claim.step_id: 7}


def test_the_same_report_again_is_accepted_and_stored_once(store: Stores) -> None:
    claim = claimed(store)
    fact = completed(store, claim)
    store.exchange(fact)

    assert store.exchange(fact).refused == frozenset()
    assert kinds(store, claim.task_id).count("StepCompleted") == 1


def test_one_refused_step_does_not_reject_the_others(store: Stores) -> None:
    store.queued(3)
    claims = store.exchange(limit=3).claims
    taken = claims[1]
    store.commit(
        events=[store.event(StepLeaseExpired, taken.task_id, 3, worker=store.worker)],
        dropped=[taken.step_id],
    )

    found = store.exchange(*(completed(store, claim) for claim in claims))

    assert found.refused == {taken.step_id}
    done = store.board.results([claim.step_id for claim in claims])
    assert set(done) == {claims[0].step_id, claims[2].step_id}


def test_a_late_outcome_does_not_release_the_next_attempt(store: Stores) -> None:
    late = claimed(store)
    store.commit(
        events=[
            store.event(StepLeaseExpired, late.task_id, 3, worker=store.worker),
            store.event(StepEnqueued, late.task_id, 4, attempt=2),
        ],
        dropped=[late.step_id],
        queued=[store.queue_row(late.task_id, version=4, attempt=2)],
    )
    (again,) = store.exchange(limit=1).claims

    assert store.exchange(completed(store, late)).refused == {late.step_id}
    assert store.board.held(store.worker) == [again]


def test_an_outcome_of_a_step_that_is_claimed_anew_is_left_out(store: Stores) -> None:
    (task,) = store.queued()
    earlier = store.event(StepCompleted, task, 3, result=7)

    found = store.exchange(earlier, limit=1)

    assert [claim.task_id for claim in found.claims] == [task]
    assert found.refused == frozenset()
    assert kinds(store, task)[-1] == "StepStarted"


def test_what_builds_on_a_start_that_is_not_stored_is_refused(store: Stores) -> None:
    (task,) = store.queued()

    assert store.exchange(store.event(StepCompleted, task, 3)).refused == {step_id(task, "start")}


def test_a_start_whose_stream_has_moved_is_refused_and_leaves_the_queue(store: Stores) -> None:
    (task,) = store.queued()
    store.commit(events=[store.event(StepFailed, task, 2, error=error())])

    found = store.exchange(limit=1)

    assert found.claims == []
    assert found.refused == {step_id(task, "start")}
    assert store.exchange(limit=1).refused == frozenset()


def test_held_steps_are_found_as_they_were_claimed(store: Stores) -> None:
    claim = claimed(store)

    assert store.board.held(store.worker) == [claim]
    assert store.board.held(new_id()) == []


def test_contexts_are_those_of_the_tasks(store: Stores) -> None:
    task = store.submitted(context={"customer": 1})

    assert store.board.contexts([task, new_id()]) == {task: {"customer": 1}}


# Checkpoints and signals


def test_a_checkpoint_moves_the_stream_and_the_row(store: Stores) -> None:
    claim = claimed(store)
    fact = store.event(StepCheckpointed, claim.task_id, 99, state={"at": 1})

    assert store.board.checkpoint(store.worker, fact) == Held(3, 1, cancelling=False)

    assert store.board.checkpoints([claim.step_id]) == {claim.step_id: {"at": 1}}
    assert store.exchange(completed(store, claim)).refused == {claim.step_id}
    assert store.board.watch(store.worker, {claim.step_id: None}) == {
        claim.step_id: Held(3, 1, cancelling=False)
    }
    assert store.exchange(completed(store, claim, 4)).refused == frozenset()


def test_a_checkpoint_of_another_worker_or_attempt_is_not_stored(store: Stores) -> None:
    claim = claimed(store)
    fact = store.event(StepCheckpointed, claim.task_id, 3, state=1)

    assert store.board.checkpoint(new_id(), fact) is None
    assert store.board.checkpoint(store.worker, fact.model_copy(update={"attempt": 2})) is None
    assert store.board.checkpoints([claim.step_id]) == {}


def test_a_signal_is_seen_on_the_board(store: Stores) -> None:
    claim = claimed(store)

    store.commit(signalled=[claim.step_id])

    held = store.board.watch(store.worker, {claim.step_id: b'{"at": 1}'})
    assert held == {claim.step_id: Held(3, 1, cancelling=True)}
    assert store.board.watch(new_id(), {claim.step_id: None}) == {}


# Steps that run alone


def test_steps_that_are_to_run_alone_go_to_an_isolated_worker_one_at_a_time(store: Stores) -> None:
    store.queued(2, alone=True)
    templates = [store.template.template_id]
    other = new_id()
    store.board.renew(other, LEASE)
    assert store.exchange(limit=5).claims == []

    assert store.board.isolate(store.worker, templates)
    assert not store.board.isolate(other, templates)

    assert len(store.exchange(limit=5).claims) == 1
    assert store.exchange(limit=5, worker=other).claims == []


def test_an_isolated_worker_takes_others_again_when_nothing_is_left(store: Stores) -> None:
    store.queued(alone=True)
    templates = [store.template.template_id]
    store.board.isolate(store.worker, templates)
    (claim,) = store.exchange(limit=5).claims
    store.exchange(completed(store, claim))

    assert not store.board.isolate(store.worker, templates)
    store.queued()
    assert len(store.exchange(limit=5).claims) == 1


def test_a_submission_is_handed_out_until_it_is_taken(store: Stores) -> None:
    assert store.ledger.submissions(10) == []
    created: TaskCreated = store.created()
    leave(store, created)

    (left,) = store.ledger.submissions(10)

    assert left.model_copy(update={"submission": None}) == created
    store.commit(events=[left], submissions=[left.submission])
    assert store.ledger.submissions(10) == []


def leave(store: Stores, created: TaskCreated) -> None:
    with store.own_transaction() as connection:
        store.tasks.submit([created], connection, only_new=False)
