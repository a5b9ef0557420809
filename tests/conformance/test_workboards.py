"""What a worker relies on in a store, whichever it is."""

from __future__ import annotations

from datetime import timedelta

from conformance.stores import LEASE, Stores, claimed, completed, kinds

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCheckpointed,
    StepCompleted,
    StepEnqueued,
    StepLeaseExpired,
    StepStarted,
)
from flowledger.engine.ports.worker import ClaimStatus
from support.builders import error
from support.sql_calls import new_id


def test_claims_come_by_turn_and_then_in_the_order_of_the_queue(store: Stores) -> None:
    (last,) = store.queued(sort_key=9.0)
    first, second = store.queued(2, sort_key=1.0)

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

    found = store.board.exchange(store.worker, (), [new_id()], 5, quiet=True)

    assert found.claims == []


def test_an_outcome_releases_the_step(store: Stores) -> None:
    claim = claimed(store)

    assert store.exchange(completed(store, claim)).refused == frozenset()

    assert store.board.claims_of(store.worker) == []
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
    assert store.board.claims_of(store.worker) == [again]


def test_an_outcome_of_a_step_that_is_claimed_anew_is_left_out(store: Stores) -> None:
    (task,) = store.queued()
    earlier = store.event(StepCompleted, task, 3, result=7)

    found = store.exchange(earlier, limit=1)

    assert [claim.task_id for claim in found.claims] == [task]
    assert found.refused == frozenset()
    assert kinds(store, task)[-1] == "StepStarted"


def test_an_outcome_of_the_attempt_that_a_claim_would_start_is_kept(store: Stores) -> None:
    """Its row was lost, and put back by a coordinator that had not seen the start."""
    claim = claimed(store)
    store.commit(dropped=[claim.step_id], queued=[store.queue_row(claim.task_id)])
    fact = completed(store, claim)

    found = store.exchange(fact, limit=1)

    assert (found.claims, found.refused) == ([], frozenset())
    assert kinds(store, claim.task_id)[-2:] == ["StepStarted", "StepCompleted"]
    assert store.exchange(fact, limit=1).claims == []
    assert store.board.claims_of(store.worker) == []


def test_an_outcome_that_is_stored_is_not_called_lost_where_its_step_is_claimed_again(
    store: Stores,
) -> None:
    claim = claimed(store)
    fact = completed(store, claim)
    store.exchange(fact)
    store.commit(queued=[store.queue_row(claim.task_id)])

    found = store.exchange(fact, limit=1)

    assert (found.claims, found.refused) == ([], frozenset())
    assert store.board.claims_of(store.worker) == []


def test_what_builds_on_a_start_that_is_not_stored_is_refused(store: Stores) -> None:
    (task,) = store.queued()

    assert store.exchange(store.event(StepCompleted, task, 3)).refused == {step_id(task, "start")}


def test_a_start_whose_stream_has_moved_is_refused_and_leaves_the_queue(store: Stores) -> None:
    (task,) = store.queued()
    store.commit(events=[store.event(StepAttemptFailed, task, 2, error=error())])

    found = store.exchange(limit=1)

    assert found.claims == []
    assert found.refused == {step_id(task, "start")}
    assert store.exchange(limit=1).refused == frozenset()


def test_held_steps_are_found_as_they_were_claimed(store: Stores) -> None:
    claim = claimed(store)

    assert store.board.claims_of(store.worker) == [claim]
    assert store.board.claims_of(new_id()) == []


def test_contexts_are_those_of_the_tasks(store: Stores) -> None:
    task = store.submitted(context={"customer": 1})

    assert store.board.contexts([task, new_id()]) == {task: {"customer": 1}}


# Checkpoints and signals


def test_a_checkpoint_moves_the_stream_and_the_row(store: Stores) -> None:
    claim = claimed(store)
    fact = store.event(StepCheckpointed, claim.task_id, 99, state={"at": 1})

    assert store.board.checkpoint(store.worker, fact) == ClaimStatus(3, 1, cancelling=False)

    assert store.board.checkpoints([claim.step_id]) == {claim.step_id: {"at": 1}}
    assert store.exchange(completed(store, claim)).refused == {claim.step_id}
    assert store.board.claim_statuses(store.worker, {claim.step_id: None}) == {
        claim.step_id: ClaimStatus(3, 1, cancelling=False)
    }
    assert store.exchange(completed(store, claim, 4)).refused == frozenset()


def test_a_checkpoint_is_not_before_what_it_follows_and_its_worker_is_told(store: Stores) -> None:
    """Else what the worker reports next, by a clock that is behind, would be before it."""
    claim = claimed(store)
    assert claim.at is not None
    fact = store.event(StepCheckpointed, claim.task_id, 3, state=1)
    behind = fact.model_copy(update={"occurred_at": claim.at - timedelta(hours=1)})

    held = store.board.checkpoint(store.worker, behind)

    assert held is not None
    assert held.at == claim.at


def test_a_checkpoint_of_another_worker_or_attempt_is_not_stored(store: Stores) -> None:
    claim = claimed(store)
    fact = store.event(StepCheckpointed, claim.task_id, 3, state=1)

    assert store.board.checkpoint(new_id(), fact) is None
    assert store.board.checkpoint(store.worker, fact.model_copy(update={"attempt": 2})) is None
    assert store.board.checkpoints([claim.step_id]) == {}


def test_a_signal_is_seen_on_the_board(store: Stores) -> None:
    claim = claimed(store)

    store.commit(signalled=[claim.step_id])

    held = store.board.claim_statuses(store.worker, {claim.step_id: b'{"at": 1}'})
    assert held == {claim.step_id: ClaimStatus(3, 1, cancelling=True)}
    assert store.board.claim_statuses(new_id(), {claim.step_id: None}) == {}


# Steps that run alone


def test_steps_that_are_to_run_alone_go_to_an_isolated_worker_one_at_a_time(store: Stores) -> None:
    store.queued(2, exclusive=True)
    templates = [store.template.template_id]
    other = new_id()
    store.board.renew(other, LEASE)
    assert store.exchange(limit=5).claims == []

    assert store.board.elect_isolated(store.worker, templates)
    assert not store.board.elect_isolated(other, templates)

    assert len(store.exchange(limit=5).claims) == 1
    assert store.exchange(limit=5, worker=other).claims == []


def test_an_isolated_worker_takes_others_again_when_nothing_is_left(store: Stores) -> None:
    store.queued(exclusive=True)
    templates = [store.template.template_id]
    store.board.elect_isolated(store.worker, templates)
    (claim,) = store.exchange(limit=5).claims
    store.exchange(completed(store, claim))

    assert not store.board.elect_isolated(store.worker, templates)
    store.queued()
    assert len(store.exchange(limit=5).claims) == 1


def test_what_is_tried_out_leaves_nothing_behind(store: Stores) -> None:
    claim = claimed(store)
    before = kinds(store, claim.task_id)

    store.board.try_out(store.worker, completed(store, claim))

    assert kinds(store, claim.task_id) == before
    assert [one.step_id for one in store.board.claims_of(store.worker)] == [claim.step_id]
    assert store.exchange(completed(store, claim)).refused == frozenset()
