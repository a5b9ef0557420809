"""Operators' requests: what is stored, who waits for the answer, and for how long."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from flowledger.engine import (
    AsyncEngine,
    DatabaseUnavailable,
    Engine,
    EngineClosed,
    TaskState,
    UnknownTask,
)
from flowledger.engine import events as asked
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.errors import (
    InvalidRequest,
    RequestDenied,
    RequestUnanswered,
    TaskNotCreated,
)
from support.builders import step
from support.controlled_steps import begin, controlled_steps, stored_together
from support.engines import PATIENCE, EngineHarness, of_kind

ACT = {"handler": {"callable": "act"}}
TWICE = {**ACT, "retry": {"max_attempts": 2, "backoff": "none"}}
WORD: RequestOptions = {"reason": "ticket 7", "actor": "ada"}

line = controlled_steps(
    step("a", **TWICE), step("b", "a", **TWICE), step("c", "b", **TWICE), name="line"
)
blocking = controlled_steps(
    step("a", **TWICE), step("b", "a", **TWICE), name="blocking", on_failure="block"
)


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(line, blocking)


def test_one_key_asks_once(engine: Engine) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)

    first = task.pause(key="k", **WORD)
    again = task.pause(key="k", **WORD)

    assert first.id == again.id
    assert len(of_kind(task.history(), asked.TaskPauseRequested)) == 1
    with pytest.raises(InvalidRequest, match=r"'k' of task .* stands for another request"):
        task.cancel(key="k", **WORD)
    with pytest.raises(InvalidRequest, match="stands for another request"):
        task.step("a").cancel(key="k", **WORD)
    task.cancel(key="other", **WORD)
    world.go["a"].set()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ({"actor": "ada", "reason": ""}, "reason should have 1 to 4000 bytes"),
        ({"actor": "ada", "reason": " "}, "reason must say something visible"),
        ({"actor": None, "reason": "why"}, "actor must be given"),
        ({"actor": "a" * 1001, "reason": "why"}, "actor should have 1 to 1000 bytes"),
        ({"actor": "a\0", "reason": "why"}, "actor should be text that Postgres can store"),
        ({"actor": "ada", "reason": "why", "key": ""}, "key should have"),
    ],
)
def test_who_and_why_must_be_said(engine: Engine, word: Any, message: str) -> None:
    _, task = begin(engine, line)
    task.result(PATIENCE)
    before = len(task.history())

    with pytest.raises(InvalidRequest, match=message):
        task.cancel(**word)

    assert len(task.history()) == before


@pytest.mark.parametrize("result", [float("nan"), {1, 2}, 2**70, "x" * 1_000_001])
def test_a_result_that_cannot_be_stored_is_refused(
    engine: Engine, result: Any, shared_harness: EngineHarness
) -> None:
    _, task = begin(engine, blocking, fails="a")
    blocked(shared_harness, task)

    with pytest.raises(InvalidRequest, match="the result"):
        task.step("a").complete(result, **WORD)

    task.fail(**WORD)


def test_of_an_unknown_task_nothing_can_be_asked(engine: Engine) -> None:
    with pytest.raises(UnknownTask):
        engine.task(uuid4()).cancel(**WORD)


def test_many_tasks_are_asked_in_one_transaction_or_none_is(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    running = [begin(engine, line, waits="a") for _ in range(3)]
    for world, _ in running:
        assert world.started["a"].wait(PATIENCE)
    tasks = [task for _, task in running]
    _, done = begin(engine, line)
    done.result(PATIENCE)

    with pytest.raises(UnknownTask):
        engine.cancel_many([tasks[0].id, uuid4()], **WORD)
    assert tasks[0].state is TaskState.IN_PROGRESS

    requests = engine.cancel_many([*(task.id for task in tasks), str(done.id)], **WORD)

    assert [task.state for task in tasks] == [TaskState.CANCELLED] * 3
    assert [request.refusal for request in requests] == [None] * 3 + [
        "the task has ended: it is complete"
    ]
    transactions = shared_harness.value(
        "select count(distinct xmin::text) from flowledger.event"
        " where originator_id = any (%s) and originator_version = 1",
        [request.id for request in requests],
    )
    assert transactions == 1
    for world, _ in running:
        world.go["a"].set()


def test_many_failed_tasks_are_reset(engine: Engine) -> None:
    failed = [begin(engine, line, fails="a") for _ in range(3)]
    for world, task in failed:
        assert task.wait(PATIENCE) is TaskState.ERROR
        world.fails.clear()

    engine.reset_many([task.id for _, task in failed], **WORD)

    assert [task.wait(PATIENCE) for _, task in failed] == [TaskState.COMPLETE] * 3


def test_a_cancel_is_one_transaction(engine: Engine, shared_harness: EngineHarness) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)

    task.cancel(**WORD)

    *_, asking, cancel = stored_together(shared_harness.rows, task.id)
    assert asking == ["task.cancel_requested"]
    assert cancel == ["task.cancelled", "step.cancel_signalled", "request.granted"]
    world.go["a"].set()


def test_a_request_that_nobody_answers_stands(harness: EngineHarness) -> None:
    client = harness.open(line, roles=())
    _, task = begin(client, line)

    with pytest.raises(RequestUnanswered, match=r"within 0\.05 s") as unanswered:
        task.cancel(timeout=0.05, key="k", **WORD)
    left = task.cancel(timeout=0, key="k", **WORD)
    assert not left.answered
    assert left.id == unanswered.value.request_id

    harness.open(line)
    left.wait(PATIENCE)
    assert task.state is TaskState.CANCELLED


def test_a_task_that_is_only_submitted_is_waited_for(harness: EngineHarness) -> None:
    client = harness.open(line, roles=())
    with psycopg.connect(harness.url) as connection:
        _, task = begin(client, line, connection=connection)
    with pytest.raises(TaskNotCreated, match="no coordinator has taken it on yet"):
        task.cancel(timeout=0.05, **WORD)
    assert task.history() == []

    harness.open(line, roles=("coordinator",))
    task.cancel(timeout=PATIENCE, **WORD)

    assert task.state is TaskState.CANCELLED


def test_a_closed_engine_lets_go_who_waits_for_an_answer(harness: EngineHarness) -> None:
    client = harness.open(line, roles=())
    _, task = begin(client, line)
    request = task.cancel(timeout=0, **WORD)
    client.close()

    with pytest.raises((EngineClosed, DatabaseUnavailable), match="closed"):
        request.wait(PATIENCE)


async def test_the_same_verbs_are_there_on_an_event_loop(harness: EngineHarness) -> None:
    settings = harness.settings()
    async with await AsyncEngine.open(workflows=[line, blocking], settings=settings) as engine:
        world, handle = begin(harness.open(roles=()), line, waits="a")
        task = engine.task(handle.id)
        assert world.started["a"].wait(PATIENCE)
        await task.pause(**WORD)
        assert await task.paused()
        await task.resume(**WORD)
        await task.step("b").skip(**WORD)
        with pytest.raises(RequestDenied, match="the task is in_progress"):
            await task.fail(**WORD)
        world.go["a"].set()
        assert await task.result(PATIENCE) == {"a": "a 1", "c": "c 1"}

        world, handle = begin(harness.open(roles=()), blocking, fails="a")
        task = engine.task(handle.id)
        harness.until(lambda: handle.state is TaskState.BLOCKED)
        await task.step("a").complete(1, **WORD)
        assert (await task.result(PATIENCE))["a"] == 1
        (request,) = await engine.cancel_many([handle.id], **WORD)
        assert request.refusal == "the task has ended: it is complete"


async def test_nobody_answers_on_an_event_loop(harness: EngineHarness) -> None:
    settings = harness.settings()
    async with await AsyncEngine.open(roles=(), settings=settings) as engine:
        _, handle = begin(harness.open(roles=()), line)
        task = engine.task(handle.id)
        with pytest.raises(RequestUnanswered):
            await task.cancel(timeout=0.05, **WORD)
        assert not (await task.cancel(timeout=0, **WORD)).answered
        with pytest.raises(UnknownTask):
            await engine.task(uuid4()).cancel(**WORD)


def blocked(harness: EngineHarness, task: Any) -> None:
    harness.until(lambda: task.state is TaskState.BLOCKED)


@pytest.mark.parametrize("verb", ["skip", "complete", "resolve"])
def test_what_follows_a_step_that_is_settled_early_waits_for_what_that_depends_on(
    engine: Engine, verb: str
) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)

    step = task.step("b")
    request = step.complete(7, **WORD) if verb == "complete" else getattr(step, verb)(**WORD)

    assert request.message == "what depends on b waits until a has ended"
    assert request.refusal is None
    (reason,) = task.step("c").explain().reasons
    assert reason.sentence.startswith("waits for b, which is ")
    assert " before a, on which it depends" in reason.sentence
    assert reason.details["root"] == "a"
    world.go["a"].set()
    assert set(task.result(PATIENCE)) >= {"a", "c"}
    history = [one.event for one in task.history() if hasattr(one.event, "step")]
    ended = [n for n, e in enumerate(history) if e.topic == "step.completed" and e.step == "a"]
    queued = [n for n, e in enumerate(history) if e.topic == "step.enqueued" and e.step == "c"]
    assert ended < queued
