"""What a coordinator and a worker of one process rely on in a store, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from uuid import UUID

import pytest
from conformance.stores import LEASE, Stores, claimed, completed, kinds

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.errors import LeadershipLost, StreamMoved
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepCompleted, StepEnqueued, StepStarted
from flowledger.engine.ports.coordinator import Commit, JointAnswer, WorkerPart
from flowledger.engine.ports.worker import NOWHERE, Claim, Nearby


def joined(  # noqa: PLR0913 - what a round may differ in
    store: Stores,
    facts: Sequence[StepEvent],
    *,
    limit: int = 5,
    known: int = 0,
    looks: bool = True,
    near: Nearby = NOWHERE,
    **commit: object,
) -> JointAnswer:
    """A joint round from the store's position on."""
    templates = [store.template.template_id]
    part = WorkerPart(store.worker, facts, templates, limit, looks=looks, near=near)
    made = Commit(epoch=store.epoch, old=store.position, new=store.position)
    for name, value in commit.items():
        setattr(made, name, value)
    made.dropped.extend(fact.originator_id for fact in facts)
    return store.ledger.commit_jointly(made, part, known)


def caught_up(store: Stores) -> None:
    """All facts of the log are read."""
    facts = store.ledger.facts(store.position, 100)
    store.commit(to=facts[-1].position)


def running(store: Stores) -> Claim:
    """A step that was started, which the coordinator knows."""
    claim = claimed(store)
    caught_up(store)
    return claim


def position(store: Stores) -> int:
    found = store.ledger.lead(store.leader, LEASE)
    assert found is not None
    return found.position


def follower(store: Stores, claim: Claim) -> dict[str, object]:
    """What is decided where `left` follows."""
    task = claim.task_id
    return {
        "events": [store.event(StepEnqueued, task, 1, "left")],
        "queued": [store.queue_row(task, "left")],
        "steps": [store.step_row(task, "left")],
    }


def told_by_another(store: Stores, task: UUID) -> None:
    """A fact of another worker."""
    fact = store.event(StepStarted, task, 2, worker=store.leader)
    store.board.exchange(store.leader, [fact], [], 0, quiet=False)


def test_facts_decisions_and_starts_are_stored_at_once(store: Stores) -> None:
    claim = running(store)

    answer = joined(store, [completed(store, claim)], **follower(store, claim))

    assert kinds(store, claim.task_id) == [
        *("TaskCreated", "StepEnqueued", "StepStarted"),
        *("StepCompleted", "StepEnqueued", "StepStarted"),
    ]
    (next_claim,) = answer.exchange.claims
    assert (next_claim.step, next_claim.version) == ("left", 2)
    assert store.board.claims_of(store.worker) == [next_claim]
    assert answer.exchange.refused == frozenset()


def test_the_position_moves_past_the_facts_and_stays_before_the_starts(store: Stores) -> None:
    claim = running(store)

    answer = joined(store, [completed(store, claim)], **follower(store, claim))

    assert position(store) == answer.position
    (start,) = store.ledger.facts(answer.position, 10)
    (told,) = answer.starts
    assert start.event.event_id == told.event_id
    assert (told.worker, told.claim.at) == (store.worker, start.event.occurred_at)


def test_who_leads_next_finds_the_facts_decided(store: Stores) -> None:
    claim = running(store)

    answer = joined(store, [completed(store, claim)], **follower(store, claim))

    folded = store.ledger.task_events(claim.task_id, answer.position)
    assert [type(event).__name__ for event in folded] == [
        *("TaskCreated", "StepEnqueued", "StepStarted", "StepCompleted", "StepEnqueued")
    ]


def test_known_starts_may_stand_before_the_facts(store: Stores) -> None:
    claim = running(store)
    answer = joined(store, [completed(store, claim)], **follower(store, claim))
    store.position = answer.position
    (left,) = answer.exchange.claims
    done = store.event(StepCompleted, left.task_id, 3, "left", result=1)

    again = joined(store, [done], known=1)

    assert again.position > answer.position
    assert store.ledger.facts(again.position, 10) == []
    assert again.exchange.claims == []


@pytest.mark.parametrize("known", [0, 1])
def test_where_another_fact_stands_before_them_nothing_is_stored(store: Stores, known: int) -> None:
    claim = running(store)
    stands = store.position
    for other in store.queued(known + 1):
        told_by_another(store, other)

    with pytest.raises(StreamMoved):
        joined(store, [completed(store, claim)], known=known, **follower(store, claim))

    assert kinds(store, claim.task_id) == ["TaskCreated", "StepEnqueued", "StepStarted"]
    assert position(store) == stands
    assert store.board.claims_of(store.worker) == [claim]


def test_a_fact_of_a_step_that_was_taken_away_is_refused_with_all_of_the_round(
    store: Stores,
) -> None:
    claim = running(store)
    store.exchange(completed(store, claim))
    caught_up(store)

    with pytest.raises(StreamMoved):
        joined(store, [completed(store, claim)], **follower(store, claim))

    assert kinds(store, claim.task_id)[3:] == ["StepCompleted"]


def test_who_leads_no_more_stores_nothing(store: Stores) -> None:
    claim = running(store)
    store.epoch -= 1

    with pytest.raises(LeadershipLost):
        joined(store, [completed(store, claim)])

    assert kinds(store, claim.task_id) == ["TaskCreated", "StepEnqueued", "StepStarted"]


def test_what_waits_longer_is_claimed_before_what_was_just_queued(store: Stores) -> None:
    claim = running(store)
    older, *_ = store.queued(2, sort_key=-5.0)
    caught_up(store)

    answer = joined(store, [completed(store, claim)], limit=1, **follower(store, claim))

    assert [one.task_id for one in answer.exchange.claims] == [older]


def test_without_a_place_nothing_is_claimed(store: Stores) -> None:
    claim = running(store)

    answer = joined(store, [completed(store, claim)], limit=0, **follower(store, claim))

    assert (answer.exchange.claims, answer.starts) == ([], [])
    assert [one.step_id for one in store.exchange(limit=5).claims] == [
        step_id(claim.task_id, "left")
    ]


def begun(store: Stores, claim: Claim) -> dict[str, object]:
    """What is decided where `left` follows and starts with the round."""
    row = store.queue_row(claim.task_id, "left")
    decided = follower(store, claim)
    started = store.event(StepStarted, claim.task_id, 2, "left", worker=store.worker)
    return {**decided, "queued": [{**row, "worker": store.worker}], "starts": [started]}


def test_what_starts_with_the_round_is_the_workers_and_decided_on(store: Stores) -> None:
    claim = running(store)

    answer = joined(store, [completed(store, claim)], limit=0, **begun(store, claim))

    assert kinds(store, claim.task_id)[3:] == ["StepCompleted", "StepEnqueued", "StepStarted"]
    assert (answer.exchange.claims, answer.starts) == ([], [])
    assert store.ledger.facts(answer.position, 10) == []
    assert position(store) == answer.position
    (held,) = store.board.claims_of(store.worker)
    assert (held.step, held.version, held.attempt) == ("left", 2, 1)


def test_it_ends_as_any_other(store: Stores) -> None:
    claim = running(store)
    answer = joined(store, [completed(store, claim)], limit=0, **begun(store, claim))
    store.position = answer.position

    done = store.event(StepCompleted, claim.task_id, 3, "left", result=1)

    assert store.exchange(done).refused == frozenset()
    assert store.board.claims_of(store.worker) == []


def test_a_worker_that_is_not_known_starts_nothing(store: Stores) -> None:
    claim = running(store)
    decided = begun(store, claim)
    store.board.retire(store.worker)

    with pytest.raises(StreamMoved):
        joined(store, [completed(store, claim)], limit=0, **decided)

    assert kinds(store, claim.task_id) == ["TaskCreated", "StepEnqueued", "StepStarted"]


def test_a_fact_in_between_refuses_what_starts_without_any_of_its_own(store: Stores) -> None:
    claim = running(store)
    (other,) = store.queued(1)
    told_by_another(store, other)

    with pytest.raises(StreamMoved):
        joined(store, [], limit=0, **begun(store, claim))


def test_who_looks_learns_what_is_left_at_the_front(store: Stores) -> None:
    claim = running(store)
    store.queued(2, sort_key=-5.0)
    caught_up(store)

    answer = joined(store, [completed(store, claim)], limit=1, **follower(store, claim))

    assert answer.front == -5.0
    store.position = answer.position
    caught_up(store)
    assert joined(store, [], limit=5).front == inf
    caught_up(store)
    assert joined(store, [], looks=False).front is None


def test_who_does_not_look_claims_nothing(store: Stores) -> None:
    claim = running(store)

    answer = joined(store, [completed(store, claim)], looks=False, **follower(store, claim))

    assert answer.exchange.claims == []


def test_tasks_that_were_created_meanwhile_are_left_behind_for_whoever_leads(store: Stores) -> None:
    claim = running(store)
    first, second = store.submitted(), store.submitted()
    before = store.position

    answer = joined(store, [completed(store, claim)], limit=0, **begun(store, claim))

    assert answer.created_from is not None
    assert before <= answer.created_from < answer.position == position(store)
    assert store.ledger.created_from() == answer.created_from
    assert store.ledger.facts(answer.position, 10) == []
    left = store.ledger.creations(answer.created_from, answer.position, 10)
    assert [one.event.originator_id for one in left] == [first, second]
    assert len(store.ledger.creations(answer.created_from, answer.position, 1)) == 1
    assert store.ledger.creations(answer.created_from, left[0].position, 10) == left[:1]


def test_the_next_commit_says_what_is_left_of_them(store: Stores) -> None:
    claim = running(store)
    store.submitted()
    answer = joined(store, [completed(store, claim)], limit=0, **begun(store, claim))
    store.position = answer.position

    store.commit(to=answer.position)

    assert store.ledger.created_from() is None
