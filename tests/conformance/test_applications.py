"""What an application and an operator rely on in a store, whichever it is; and limits."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from conformance.stores import Stores, claimed, kinds

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.limits.admission import LimitChanges
from flowledger.engine.domain.limits.circuit_breaker import Circuit, CircuitChanges, StoredCircuit
from flowledger.engine.domain.limits.concurrency_slots import SlotChanges
from flowledger.engine.domain.limits.demand import Demand, SlotLimit
from flowledger.engine.domain.limits.rate_limit import RateChange
from flowledger.engine.domain.limits.wait_queue import Waiter
from flowledger.engine.domain.machine.task_run import Wait
from flowledger.engine.errors import (
    DefinitionChanged,
    DuplicateTask,
    InvalidSubmission,
    LogCorrupt,
    StreamMoved,
    UnknownTemplate,
)
from flowledger.engine.events.notes import TaskTagged
from flowledger.engine.events.requests import TaskCancelRequested, TaskPauseRequested
from flowledger.engine.events.template import TemplatePaused, TemplateResumed
from support.builders import NOON, diamond
from support.sql_calls import new_id

KEY = "template:shop/order"


def test_a_definition_is_registered_once(store: Stores) -> None:
    store.tasks.register(store.template)

    with pytest.raises(DefinitionChanged):
        store.tasks.register(diamond(timeout_seconds=5.0))
    assert store.tasks.template(store.template.template_id) == store.template
    assert [row[:3] for row in store.tasks.templates()] == [("shop", "order", "1")]


def test_a_template_is_paused_and_goes_on(store: Stores) -> None:
    template = store.template.template_id
    pause, resume = pausing(store, TemplatePaused), pausing(store, TemplateResumed)

    assert store.tasks.pause_template(template, pause)
    assert not store.tasks.pause_template(template, pause)
    assert store.ledger.limits().paused == {template}
    assert store.tasks.pause_template(template, resume)
    assert store.ledger.limits().paused == frozenset()
    with pytest.raises(UnknownTemplate):
        store.tasks.pause_template(new_id(), pause)


def pausing(store: Stores, kind: type[Any]) -> Any:
    event_id = new_id()
    return kind(
        originator_id=store.template.template_id,
        originator_version=1,
        event_id=event_id,
        occurred_at=NOON,
        correlation_id=str(event_id),
        actor="ann",
        reason="a reason",
    )


def test_an_identity_has_one_task(store: Stores) -> None:
    first = store.submitted(identity="order 1")
    again = store.created(identity="order 1")

    assert store.tasks.submit([again], None, only_new=False) == [first]
    with pytest.raises(DuplicateTask):
        store.tasks.submit([store.created(), again], None, only_new=True)
    assert not store.tasks.known(again.task_id)
    assert len(store.ledger.facts(0, 10)) == 1


def test_the_same_submission_again_is_the_same_task(store: Stores) -> None:
    created = store.created()
    store.tasks.submit([created], None, only_new=False)

    assert store.tasks.submit([created], None, only_new=False) == [created.task_id]
    assert kinds(store, created.task_id) == ["TaskCreated"]


def test_an_id_stands_for_one_task_on_both_ways_in(store: Stores) -> None:
    created, fresh = store.created(), store.created()
    with store.own_transaction() as connection:
        store.tasks.submit([created], connection, only_new=False)
    another = created.model_copy(update={"context": {"another": 1}})

    for way in (store.own_transaction, lambda: nullcontext(None)):
        with way() as connection:
            submit = partial(store.tasks.submit, connection=connection, only_new=False)
            assert submit([created], ids_given=True) == [created.task_id]
            with pytest.raises(InvalidSubmission, match="with another context"):
                submit([fresh, another], ids_given=True)
    assert not store.tasks.known(fresh.task_id)


def test_what_is_missing_of_a_submission_is_stored_when_it_is_made_again(store: Stores) -> None:
    first, second = store.created(), store.created()
    store.tasks.submit([first], None, only_new=False)

    again = store.tasks.submit([second, first], None, only_new=False, ids_given=True)

    assert again == [second.task_id, first.task_id]
    assert kinds(store, second.task_id) == ["TaskCreated"]


def test_a_task_is_known_before_a_coordinator_has_seen_it(store: Stores) -> None:
    created = store.created()
    with store.own_transaction() as connection:
        store.tasks.submit([created], connection, only_new=False)

    assert store.tasks.known(created.task_id)
    assert store.tasks.created([created.task_id]) == {}
    assert not store.tasks.known(new_id())


def test_progress_counts_what_runs_although_the_rows_do_not_say_so_yet(store: Stores) -> None:
    claim = claimed(store)

    progress = store.tasks.progress(claim.task_id, 5)

    assert (dict(progress.steps), list(progress.running)) == ({"in_progress": 1}, ["start"])
    assert dict(store.tasks.progress(new_id(), 5).steps) == {}


def test_a_snapshot_is_rows_history_and_position(store: Stores) -> None:
    (task,) = store.queued()
    store.commit(to=4)

    found = store.tasks.snapshot(task)

    assert found.position == 4
    assert found.task == store.tasks.task(task)
    assert (list(found.steps), list(found.history)) == (
        list(store.tasks.steps(task)),
        list(store.tasks.history(task)),
    )


def test_ended_tasks_are_told_from_open_ones(store: Stores) -> None:
    ended, other = store.queued(2)
    store.commit(tasks=[store.task_row(ended, state="complete", ended_at=NOON)])

    assert list(store.tasks.ended([ended, other, new_id()])) == [ended]


def test_asking_twice_with_one_key_is_asking_once(store: Stores) -> None:
    task = store.submitted()
    asked = store.request(TaskCancelRequested, task)
    assert list(store.tasks.request([asked], "key")) == []

    assert list(store.tasks.request([asked], "key")) == []
    other = store.request(TaskPauseRequested, task)
    assert list(store.tasks.request([other], "key")) == [asked.originator_id]

    assert store.tasks.requested(asked.originator_id) == asked
    assert dict(store.tasks.answers([asked.originator_id])) == {}
    with pytest.raises(LogCorrupt):
        store.tasks.requested(new_id())


def changes(**given: Any) -> LimitChanges:
    parts: dict[str, Any] = {
        "slots": SlotChanges({}, {}, freed=False),
        "rates": {},
        "circuits": CircuitChanges((), {}, ()),
        "waiters": (),
        "gone": (),
    }
    return LimitChanges(**{**parts, **given})


def test_a_note_is_in_the_history_once_and_no_fact(store: Stores) -> None:
    task = store.submitted()
    position = store.ledger.facts(0, 10)[-1].position
    note = store.request(TaskTagged, task, tags=("urgent",))

    store.tasks.note([note], "key")
    store.tasks.note([note.model_copy(update={"event_id": new_id()})], "key")

    assert kinds(store, task) == ["TaskCreated", "TaskTagged"]
    assert store.tasks.history(task)[1].event == note
    assert store.ledger.facts(position, 10) == []
    assert len(store.ledger.task_events(task, position + 10)) == 1


def test_slots_are_counted_and_not_taken_beyond_what_was_decided_on(store: Stores) -> None:
    one, two = new_id(), new_id()
    store.commit(limits=changes(slots=SlotChanges({one: (KEY,)}, {KEY: 0}, freed=False)))
    assert store.ledger.limits_now([KEY, "other"])[0] == {KEY: 1, "other": 0}

    with pytest.raises(StreamMoved):
        store.commit(to=9, limits=changes(slots=SlotChanges({two: (KEY,)}, {KEY: 0}, freed=False)))

    assert store.ledger.limits().holders == {one: (KEY,)}
    store.commit(limits=changes(slots=SlotChanges({one: ()}, {}, freed=True)))
    assert store.ledger.limits().in_use == {}


def test_a_rate_that_moved_meanwhile_is_refused(store: Stores) -> None:
    now = store.now()
    later = now + timedelta(seconds=5)
    store.commit(limits=changes(rates={KEY: RateChange(None, later, now)}))

    with pytest.raises(StreamMoved):
        store.commit(limits=changes(rates={KEY: RateChange(None, later, now)}))

    assert store.ledger.limits().expected == {KEY: later}


def test_a_circuit_that_changed_meanwhile_is_refused(store: Stores) -> None:
    circuit = Circuit("bank", failures=2)
    stale = changes(circuits=CircuitChanges((circuit,), {"bank": 0}, ()))
    store.commit(limits=stale)

    with pytest.raises(StreamMoved):
        store.commit(limits=stale)
    with pytest.raises(StreamMoved):
        store.commit(limits=changes(circuits=CircuitChanges((), {"bank": 0}, ()), gone=(new_id(),)))

    assert list(store.ledger.limits_now([])[1]) == [StoredCircuit(circuit, 1)]


def test_steps_that_wait_are_kept_until_they_are_gone(store: Stores) -> None:
    task = store.submitted()
    demand = Demand(store.template.template_id, None, (SlotLimit(KEY, 1),), ())
    wait = Wait("slot", KEY)
    waiter = Waiter(1.5, step_id(task, "start"), task, "start", NOON, wait, demand)
    store.commit(limits=changes(waiters=(waiter,)))
    assert store.ledger.limits().waiters == (waiter,)

    store.commit(limits=changes(gone=(waiter.step_id,)))

    assert store.ledger.limits().waiters == ()
