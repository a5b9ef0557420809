"""Submitting tasks and asking about them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel

from flowledger.engine import (
    Engine,
    EngineClosed,
    InvalidContext,
    InvalidSubmission,
    StepState,
    TaskState,
    TaskUnfinished,
    UnknownTask,
)
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, kinds


class Order(BaseModel):
    id: int
    cents: int


orders = Workflow("submit", "order", version="1", context=Order)


@orders.step
def validate(context: Order) -> dict[str, Any]:
    return {"valid": context.cents > 0}


@orders.step(after=[validate])
def charge(context: Order, validate: dict[str, Any]) -> dict[str, Any]:
    return {"charged": context.cents, "valid": validate["valid"]}


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(orders)


@pytest.fixture(scope="module")
def client(shared_harness: EngineHarness) -> Engine:
    """An engine without roles, as a web process has it."""
    return shared_harness.open(roles=())


def test_the_result_of_a_task_has_the_result_of_each_step(engine: Engine) -> None:
    task = engine.submit(orders, Order(id=7, cents=1999))

    assert task.result(PATIENCE) == {
        "validate": {"valid": True},
        "charge": {"charged": 1999, "valid": True},
    }
    assert task.state is TaskState.COMPLETE


def test_the_history_begins_with_the_context_and_carries_one_correlation(engine: Engine) -> None:
    task = engine.submit(orders, Order(id=7, cents=1), correlation_id="order-7", actor="ada")
    task.wait(PATIENCE)

    history = task.history()

    created = history[0].event
    assert created.context == {"id": 7, "cents": 1}
    assert created.actor == "ada"
    assert {recorded.event.correlation_id for recorded in history} == {"order-7"}
    assert [recorded.position for recorded in history] == sorted(
        recorded.position for recorded in history
    )
    causes = {recorded.event.event_id for recorded in history}
    decisions = [recorded.event for recorded in history if recorded.event.causation_id]
    assert {event.causation_id for event in decisions} <= causes


def test_a_process_without_roles_submits_what_another_runs(engine: Engine, client: Engine) -> None:
    task = client.submit(orders, Order(id=1, cents=2))

    assert task.result(PATIENCE)["charge"]["charged"] == 2


def test_another_handle_on_the_same_task_tells_the_same(engine: Engine, client: Engine) -> None:
    task = engine.submit(orders, Order(id=1, cents=2))
    task.wait(PATIENCE)

    other = client.task(str(task.id))

    assert other.state is TaskState.COMPLETE
    assert other.history() == task.history()
    assert {name: (step.state, step.attempts) for name, step in other.steps().items()} == {
        "validate": (StepState.COMPLETE, 1),
        "charge": (StepState.COMPLETE, 1),
    }


def test_many_tasks_are_submitted_at_once_and_each_has_its_context(engine: Engine) -> None:
    tasks = engine.submit_many(orders, [Order(id=n, cents=n) for n in range(20)])

    charged = [task.result(PATIENCE)["charge"]["charged"] for task in tasks]

    assert charged == list(range(20))
    assert len({task.id for task in tasks}) == 20


def test_no_tasks_are_submitted_for_no_contexts(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    before = shared_harness.counts()

    assert engine.submit_many(orders, []) == []
    assert shared_harness.counts() == before


def test_of_many_tasks_one_wrong_context_stores_none(
    client: Engine, shared_harness: EngineHarness
) -> None:
    client.register(orders)
    before = shared_harness.value(
        "select count(*) from flowledger.event where topic = 'task.created'"
    )
    contexts: list[Any] = [Order(id=1, cents=1), {"id": "none"}]

    with pytest.raises(InvalidContext, match="context"):
        client.submit_many(orders, contexts)

    after = shared_harness.value(
        "select count(*) from flowledger.event where topic = 'task.created'"
    )
    assert after == before


@pytest.mark.parametrize(
    ("option", "given"), [("idempotency_keys", ["a", "b"]), ("task_ids", [uuid4(), uuid4()])]
)
def test_as_many_keys_or_ids_as_contexts_are_asked_for(
    client: Engine, option: str, given: Any
) -> None:
    told = f"{option} should have one for each of the 1 contexts, got 2"
    with pytest.raises(ValueError, match=told):
        client.submit_many(orders, [Order(id=1, cents=1)], **{option: given})


def test_a_task_that_nobody_submitted_is_unknown(client: Engine) -> None:
    task = client.task(uuid4())

    for ask in (lambda: task.state, task.history, task.steps, lambda: task.wait(0.1)):
        with pytest.raises(UnknownTask, match=str(task.id)):
            ask()


def test_what_is_no_id_is_refused(client: Engine) -> None:
    with pytest.raises(ValueError, match="UUID"):
        client.task("seven")
    for odd in ("seven", 7, None, object()):
        with pytest.raises(InvalidSubmission, match="is not the id of a task, which is a UUID"):
            client.submit_many(orders, [Order(id=1, cents=1)], task_ids=[odd])  # type: ignore[list-item]


def test_the_id_of_a_task_may_be_text(client: Engine) -> None:
    task = uuid4()

    submitted = client.submit(orders, Order(id=1, cents=1), task_id=str(task))  # type: ignore[arg-type]

    assert submitted.id == task


def test_waiting_ends_when_the_time_is_up(harness: EngineHarness) -> None:
    client = harness.open(roles=())
    task = client.submit(orders, Order(id=1, cents=2))

    with pytest.raises(TaskUnfinished, match=r"within 0\.05 s; explain\(\) says why") as caught:
        task.wait(0.05)

    assert caught.value.task_id == task.id
    assert task.state is TaskState.SUBMITTED
    assert task.steps() == {}
    assert kinds(task.history()) == ["TaskCreated"]


def test_steps_of_higher_priority_are_claimed_first(harness: EngineHarness) -> None:
    """One slot, and tasks that are all queued before the worker comes."""
    ran: list[int] = []
    workflow = Workflow("submit", "priority", version="1", context=Order)

    @workflow.step
    def note(context: Order) -> None:
        ran.append(context.id)

    coordinator = harness.open(workflow, roles=["coordinator"])
    tasks = [
        coordinator.submit(workflow, Order(id=priority, cents=0), priority=priority)
        for priority in (1, 3, 2)
    ]
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 3)
    harness.open(workflow, roles=["worker"], worker={"concurrency": 1, "claim_size": 1})
    for task in tasks:
        task.wait(PATIENCE)

    assert ran == [3, 2, 1]


def test_ids_of_tasks_are_ordered_by_time(client: Engine) -> None:
    ids = [task.id for task in client.submit_many(orders, [Order(id=1, cents=1)] * 50)]

    assert all(task.version == 7 for task in ids)
    assert ids == sorted(ids, key=lambda task: UUID(int=task.int >> 80))


def test_who_waits_for_a_task_is_told_when_the_engine_is_closed(harness: EngineHarness) -> None:
    engine = harness.open(orders, roles=())
    task = engine.submit(orders, Order(id=7, cents=1))
    with ThreadPoolExecutor(1) as waiting:
        outcome = waiting.submit(task.wait)
        waited = engine._endings._waiting
        harness.until(lambda: task.id in [of for _, of in list(waited)])

        engine.close()

        with pytest.raises(EngineClosed, match=str(task.id)):
            outcome.result(PATIENCE)
