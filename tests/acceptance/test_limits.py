"""Limits hold in the log: of a template, a namespace, a key of the context and a step."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from threading import Event, Semaphore
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepEnqueued
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind
from support.limits import last_in_use, log_of, most_in_use, slot_counts, slot_rows, waiting_steps

LEAVES = 5
room = Semaphore(0)

by_template = Workflow("limits", "template", version="1", concurrency={"limit": 2})
by_namespace = Workflow("narrow", "namespace", version="1")
by_key = Workflow("limits", "key", version="1", concurrency={"limit": 2, "key": "customer.id"})
by_step = Workflow("limits", "step", version="1")


def fan(workflow: Workflow[dict[str, Any]], **policies: Any) -> None:
    """One step, then several beside one another, which wait until they are let go."""

    @workflow.step(name="first")
    def first() -> int:
        return 1

    for number in range(LEAVES):

        @workflow.step(name=f"leaf-{number}", after=["first"], **policies)
        def leaf() -> int:
            assert room.acquire(timeout=PATIENCE)
            return 1


for flow in (by_template, by_namespace, by_key):
    fan(flow)
fan(by_step, concurrency={"limit": 1})


@pytest.fixture(autouse=True)
def _no_room() -> Generator[None]:
    while room.acquire(blocking=False):
        pass
    yield
    room.release(1_000)


LIMITS = [
    pytest.param(by_template, lambda _: ["template:limits/template"], 2, id="of a template"),
    pytest.param(by_namespace, lambda _: ["namespace:narrow"], 3, id="of a namespace"),
    pytest.param(
        by_step,
        lambda e: [f"step:limits/step/{e.step}"] if e.step != "first" else [],
        1,
        id="of a step",
    ),
]


@pytest.mark.parametrize(("flow", "keys", "limit"), LIMITS)
def test_no_more_are_queued_or_run_than_a_limit_allows_and_all_complete(
    harness: EngineHarness, flow: Workflow[Any], keys: Any, limit: int
) -> None:
    engine = harness.open(flow, limits={"namespace_concurrency": {"narrow": 3}})
    tasks = engine.submit_many(flow, [{} for _ in range(4)])
    ids = [task.id for task in tasks]
    most = len({key for n in range(LEAVES) for key in keys(leaf_event(n))}) * limit
    harness.until(
        lambda: first_steps_complete(harness) == len(tasks) and slot_rows(harness).total() == most
    )

    assert slot_rows(harness) == slot_counts(harness) == last_in_use(log_of(engine, ids), keys)
    room.release(1_000)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    assert set(most_in_use(log_of(engine, ids), keys).values()) == {limit}
    assert slot_rows(harness) == slot_counts(harness) == {}
    assert waiting_steps(harness) == []


def first_steps_complete(harness: EngineHarness) -> int:
    """How many tasks are at their leaves."""
    found: int = harness.value(
        "select count(*) from flowledger.step where step = 'first' and state = 'complete'"
    )
    return found


def leaf_event(number: int) -> Any:
    """What a limit's keys are asked of."""
    return type("Leaf", (), {"step": f"leaf-{number}"})


def test_each_value_of_a_key_has_a_limit_of_its_own_and_a_missing_one_too(
    harness: EngineHarness,
) -> None:
    engine = harness.open(by_key)
    contexts = [{"customer": {"id": 7}}, {"customer": {"id": "7"}}, {"customer": 7}, {}] * 2
    tasks = engine.submit_many(by_key, contexts)
    values = dict(zip((task.id for task in tasks), ["7", '"7"', "null", "null"] * 2, strict=True))

    def keys(event: StepEvent) -> list[str]:
        return [f"key:limits/key/customer.id={values[event.task_id]}"]

    harness.until(
        lambda: set(slot_counts(harness).values()) == {2} and len(slot_counts(harness)) == 3
    )
    assert slot_rows(harness) == slot_counts(harness)
    room.release(1_000)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    most = most_in_use(log_of(engine, values), keys)
    assert len(most) == 3
    assert set(most.values()) == {2}


def test_who_waits_is_let_go_by_priority_and_by_age(harness: EngineHarness) -> None:
    narrow = Workflow("limits", "narrow", version="1", concurrency={"limit": 1})

    @narrow.step
    def only() -> int:
        assert room.acquire(timeout=PATIENCE)
        return 1

    marker = Workflow("limits", "marker", version="1")

    @marker.step
    def mark() -> int:
        return 1

    engine = harness.open(narrow, marker, coordinator={"priority_ageing_seconds": 60.0})
    first = engine.submit(narrow, {})
    harness.until(lambda: slot_rows(harness).total() == 1)
    old = engine.submit(narrow, {}, priority=0)
    harness.until(lambda: len(waiting_steps(harness)) == 1)
    moved = engine.submit(marker, {}, start_at=datetime.now(UTC) + timedelta(minutes=4))
    harness.move_clock("5 minutes")
    assert moved.wait(PATIENCE) is TaskState.COMPLETE
    young = [engine.submit(narrow, {}, priority=priority) for priority in (1, 9, 4)]
    harness.until(lambda: len(waiting_steps(harness)) == 4)
    room.release(1_000)

    tasks = [first, old, *young]
    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    queued = [e.task_id for e in log_of(engine, [t.id for t in tasks]) if type(e) is StepEnqueued]
    expected = [first, young[1], old, young[2], young[0]]
    assert queued == [task.id for task in expected]


def test_who_waits_is_found_again_by_the_next_coordinator(harness: EngineHarness) -> None:
    worker = harness.open(by_template, roles=["worker"])
    leader = harness.open(roles=["coordinator"])
    tasks = worker.submit_many(by_template, [{} for _ in range(3)])
    harness.until(lambda: slot_rows(harness).total() == 2 and waiting_steps(harness))
    leader.close()

    harness.open(roles=["coordinator"], coordinator={"max_cached_tasks": 1})
    room.release(1_000)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    log = log_of(worker, [task.id for task in tasks])
    assert most_in_use(log, lambda _: ["one"]) == {"one": 2}
    assert slot_rows(harness) == slot_counts(harness) == {}


def test_who_waits_is_cancelled_with_its_task_and_takes_no_slot(harness: EngineHarness) -> None:
    engine = harness.open(by_template)
    task = engine.submit(by_template, {})
    harness.until(lambda: slot_rows(harness).total() == 2 and waiting_steps(harness))

    task.cancel(reason="enough", actor="ann")

    assert waiting_steps(harness) == []
    room.release(1_000)
    harness.until(lambda: not slot_rows(harness))
    assert slot_counts(harness) == {}
    assert len(of_kind(task.history(), StepEnqueued)) == 3


def test_who_waits_goes_on_when_its_task_is_resumed(harness: EngineHarness) -> None:
    engine = harness.open(by_template)
    task = engine.submit(by_template, {})
    harness.until(lambda: slot_rows(harness).total() == 2 and waiting_steps(harness))

    task.pause(reason="later", actor="ann")
    room.release(1_000)
    harness.until(lambda: not slot_rows(harness))
    task.resume(reason="now", actor="ann")

    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert waiting_steps(harness) == []


def test_a_retry_gives_its_slot_away_and_waits_for_another(harness: EngineHarness) -> None:
    narrow = Workflow("limits", "retried", version="1", concurrency={"limit": 1})
    failing, started = Event(), Event()

    @narrow.step(retry=Retry(max_attempts=3, backoff="none"))
    def only(context: dict[str, Any], step: StepContext) -> int:
        if context.get("fails") and step.attempt == 1:
            started.set()
            assert failing.wait(PATIENCE)
            raise OSError("not yet")
        assert room.acquire(timeout=PATIENCE)
        return step.attempt

    engine = harness.open(narrow)
    task = engine.submit(narrow, {"fails": True})
    assert started.wait(PATIENCE)
    others = engine.submit_many(narrow, [{}, {}])
    harness.until(lambda: len(waiting_steps(harness)) == 2)
    failing.set()
    harness.until(lambda: kinds(task.history())[-1] == "TaskWaiting")
    room.release(1_000)

    assert task.result(PATIENCE) == {"only": 2}
    assert {other.wait(PATIENCE) for other in others} == {TaskState.COMPLETE}
    assert kinds(task.history(), "only") == [
        "StepEnqueued", "StepStarted", "StepAttemptFailed", "StepRetryScheduled",
        "StepEnqueued", "StepStarted", "StepCompleted",
    ]  # fmt: skip
    log = log_of(engine, [task.id, *(other.id for other in others)])
    assert most_in_use(log, lambda _: ["one"]) == {"one": 1}


def test_a_task_is_not_said_to_wait_where_room_is_made_at_once(harness: EngineHarness) -> None:
    exclusive = Workflow("limits", "alone", version="1", concurrency={"limit": 1})
    fan(exclusive)
    room.release(1_000)
    engine = harness.open(exclusive)
    task = engine.submit(exclusive, {})

    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert "TaskWaiting" not in kinds(task.history())
