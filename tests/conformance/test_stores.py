"""What a coordinator relies on in a store, whichever it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conformance.stores import LEASE, Stores, claimed, kinds

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.errors import LeadershipLost, StreamMoved, UnknownTemplate
from flowledger.engine.events.step import StepEnqueued, StepLeaseExpired
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.coordinator import Due
from support.builders import NOON
from support.sql_calls import new_id

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

    assert store.ledger.safe_position(0) == 0


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


def test_the_histories_of_several_tasks_are_those_of_each(store: Stores) -> None:
    tasks = [store.submitted() for _ in range(3)]
    position = store.ledger.facts(0, 10)[1].position
    store.commit(events=[store.event(StepEnqueued, tasks[1], 1)])

    found = store.ledger.events_of_tasks([tasks[1], tasks[2], new_id()], position)

    for task, events in found.items():
        assert list(events) == list(store.ledger.task_events(task, position))
    assert [len(events) for events in found.values()][:2] == [2, 1]


# Who waits to begin


def test_who_was_created_first_begins_first_and_priority_is_worth_time(store: Stores) -> None:
    tasks = [store.submitted() for _ in range(4)]
    ages = [(timedelta(seconds=2), 0), (timedelta(0), 0), (timedelta(seconds=90), 2)]
    rows = [
        store.task_row(task, state="pending", created_at=NOON + age, priority=priority)
        for task, (age, priority) in zip(tasks, ages, strict=False)
    ]
    store.commit(tasks=[*rows, store.task_row(tasks[3])])

    def begin(limit: int, ageing: float) -> list[int]:
        found = store.ledger.waiting_to_begin(limit, (), ageing).by_age
        assert {template for template, _ in found} == {store.template.template_id}
        return [tasks.index(task) for _, task in found]

    assert begin(10, 60.0) == [2, 1, 0]
    assert begin(10, 1.0) == [1, 0, 2]
    assert begin(2, 60.0) == [2, 1]
    assert store.ledger.waiting_to_begin(10, [store.template.template_id], 60.0).by_age == []


def test_who_is_paused_or_has_ended_waits_no_more(store: Stores) -> None:
    paused, ended = store.submitted(), store.submitted()
    row = store.task_row(paused, state="pending", paused=True)
    store.commit(tasks=[row, store.task_row(ended, state="pending")])
    store.commit(tasks=[store.task_row(ended, state="cancelled", ended_at=NOON)])

    assert store.ledger.waiting_to_begin(10, (), 60.0).by_age == []

    store.commit(tasks=[{**row, "paused": False}])

    assert [task for _, task in store.ledger.waiting_to_begin(10, (), 60.0).by_age] == [paused]


def test_those_with_a_fairness_key_take_turns(store: Stores) -> None:
    tasks = [store.submitted() for _ in range(7)]
    keys = [("b", 0, 0), ("a", 1, 0), ("a", 2, 0), ("c", 3, 0), ("a", 90, 2), ("", 5, 0)]
    rows = [
        store.task_row(
            task,
            state="pending",
            created_at=NOON + timedelta(seconds=age),
            priority=priority,
            fairness_key=f'"{key}"',
        )
        for task, (key, age, priority) in zip(tasks, keys, strict=False)
    ]
    store.commit(tasks=[*rows, store.task_row(tasks[6], state="pending")])
    template = store.template.template_id

    def turns(limit: int, after: str, ageing: float = 60.0) -> list[int]:
        found = store.ledger.waiting_to_begin(limit, (), ageing, {template: after}).in_turn
        assert {one.template_id for one in found} <= {template}
        return [tasks.index(one.task_id) for one in found]

    assert turns(10, "") == [4, 5, 1, 2, 0, 3]
    assert turns(10, '"a"', 1.0) == [0, 3, 5, 1, 2, 4]
    assert turns(10, '"zzz"') == [4, 5, 1, 2, 0, 3]
    assert turns(1, '"a"') == [4, 0]
    assert turns(2, '""') == [4, 1, 2, 0]
    found = store.ledger.waiting_to_begin(10, (), 60.0, {})
    assert [one.since for one in found.in_turn] == [rows[4]["created_at"], *5 * [NOON]]
    assert [(one.priority, one.fairness) for one in found.in_turn][:2] == [(2, '"a"'), (0, '""')]
    assert found.by_age == [(template, tasks[6])]
    assert store.ledger.waiting_to_begin(10, [template], 60.0, {}).in_turn in ((), [])
    assert store.ledger.waiting_to_begin(10, (), 60.0).in_turn == ()


def test_a_template_is_found_or_unknown(store: Stores) -> None:
    assert store.ledger.template(store.template.template_id) == store.template
    with pytest.raises(UnknownTemplate):
        store.ledger.template(new_id())


# What time asks for


def test_timers_ring_when_they_are_due(store: Stores) -> None:
    task = store.submitted()
    due_at = store.now() + timedelta(seconds=10)
    store.commit(timers=[store.timer_row(task, due_at)])
    assert store.ledger.due(10, orphans=False) == Due([], [], due_at, NOON)

    store.move(11)

    due = store.ledger.due(10, orphans=False)
    assert due.timers == [(task, "start", "retry")]
    store.commit(untimed=[step_id(task, "start")])
    assert store.ledger.due(10, orphans=False).timers == []


def test_the_end_of_a_workers_lease_is_a_time_to_look(store: Stores) -> None:
    store.board.renew(store.worker, LEASE)

    silent_at = store.ledger.due(10, orphans=False).silent_at

    assert silent_at is not None
    assert timedelta() < silent_at - store.now() <= timedelta(seconds=LEASE + 0.001)
    store.move(2 * LEASE)
    assert store.ledger.due(10, orphans=False).silent_at is None


def test_a_step_has_one_timer(store: Stores) -> None:
    task = store.submitted()
    now = store.now()
    store.commit(timers=[store.timer_row(task, now - timedelta(seconds=5))])
    later = now + timedelta(seconds=20)
    store.commit(timers=[store.timer_row(task, later)])

    assert store.ledger.due(10, orphans=False) == Due([], [], later, NOON)


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


def test_a_step_whose_facts_were_not_read_yet_is_not_missing(store: Stores) -> None:
    claim = claimed(store)
    store.commit(dropped=[claim.step_id])
    assert store.ledger.unqueued(10) == []

    store.commit(to=store.ledger.facts(store.position, 10)[-1].position)

    assert store.ledger.unqueued(10) == [(claim.task_id, "start")]


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


# Taking back what is queued


def test_what_is_queued_and_not_claimed_can_be_taken_back_the_last_first(store: Stores) -> None:
    first, second, third = (store.queued(sort_key=float(sort_key))[0] for sort_key in range(3))
    assert [claim.task_id for claim in store.exchange(limit=1).claims] == [first]

    mine = [store.template.template_id]
    assert store.ledger.queued_of(mine, [], 9) == [(third, "start"), (second, "start")]
    assert store.ledger.queued_of(mine, [], 1) == [(third, "start")]
    assert store.ledger.queued_of([new_id()], ["bank"], 9) == []
