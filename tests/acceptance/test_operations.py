"""Operators' requests through the public path: what they do, and when they are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowledger.engine import (
    Engine,
    StepState,
    TaskNotCompleted,
    TaskState,
    TaskUnfinished,
)
from flowledger.engine import events as asked
from flowledger.engine import events as happened
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.errors import (
    RequestDenied,
    UnknownTemplate,
)
from support.builders import step
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

ACT = {"handler": {"callable": "act"}}
TWICE = {**ACT, "retry": {"max_attempts": 2, "backoff": "none"}}
LATER = {**ACT, "retry": {"max_attempts": 3, "base_seconds": 600, "cap_seconds": 600}}
WORD: RequestOptions = {"reason": "ticket 7", "actor": "ada"}

line = controlled_steps(
    step("a", **TWICE), step("b", "a", **TWICE), step("c", "b", **TWICE), name="line"
)
blocking = controlled_steps(
    step("a", **TWICE), step("b", "a", **TWICE), name="blocking", on_failure="block"
)
patient = controlled_steps(step("a", **LATER), step("b", "a", **ACT), name="patient")
strict = controlled_steps(
    step("a", when_skipped="stop", **TWICE),
    *(step("b", "a", **TWICE), step("c", **TWICE)),
    name="strict",
    on_failure="block",
)


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(line, blocking, patient, strict)


def test_a_cancelled_task_starts_nothing_more_and_says_who_and_why(engine: Engine) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)

    request = task.cancel(**WORD)

    assert request.answered
    assert request.refusal is None
    assert task.state is TaskState.CANCELLED
    world.go["a"].set()
    with pytest.raises(TaskNotCompleted, match="ended as cancelled: cancelled by ada: ticket 7"):
        task.result(PATIENCE)
    assert world.ran == ["a"]
    (cancelled,) = of_kind(task.history(), happened.TaskCancelled)
    (wanted,) = of_kind(task.history(), asked.TaskCancelRequested)
    (granted,) = of_kind(task.history(), asked.RequestGranted)
    assert [(one.actor, one.reason) for one in (wanted, cancelled)] == [("ada", "ticket 7")] * 2
    assert cancelled.causation_id == granted.causation_id == wanted.event_id
    assert (wanted.originator_id, granted.originator_version) == (request.id, 2)


def test_a_running_step_of_a_cancelled_task_is_told_and_what_it_did_is_recorded(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)
    task.cancel(**WORD)
    (call,) = world.calls
    shared_harness.until(lambda: call.cancelled)

    world.go["a"].set()

    shared_harness.until(lambda: task.step("a").status.state is StepState.COMPLETE)
    assert task.state is TaskState.CANCELLED
    assert kinds(task.history(), "a") == [
        *("StepEnqueued", "StepStarted", "StepCancelSignalled", "StepCompleted")
    ]


def test_a_cancelled_step_ends_the_task_when_the_rest_is_done(engine: Engine) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)

    task.step("b").cancel(**WORD)
    world.go["a"].set()

    assert task.wait(PATIENCE) is TaskState.CANCELLED
    assert world.ran == ["a"]
    with pytest.raises(TaskNotCompleted, match="these steps were cancelled: b"):
        task.result(0)


def test_a_paused_task_starts_nothing_until_it_is_resumed(engine: Engine) -> None:
    world, task = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)

    task.pause(**WORD)
    assert task.paused
    world.go["a"].set()
    other, done = begin(engine, line)
    done.result(PATIENCE)
    assert world.ran == ["a"]
    assert other.ran == ["a", "b", "c"]
    with pytest.raises(RequestDenied, match="the task is paused already"):
        task.pause(**WORD)

    task.resume(**WORD)
    assert not task.paused
    assert task.result(PATIENCE) == {"a": "a 1", "b": "b 1", "c": "c 1"}


def test_a_task_that_failed_is_reset_and_tried_with_all_its_attempts(engine: Engine) -> None:
    world, task = begin(engine, line, fails="b")
    assert task.wait(PATIENCE) is TaskState.ERROR
    assert world.ran == ["a", "b", "b"]

    task.reset(**WORD)

    assert task.wait(PATIENCE) is TaskState.ERROR
    assert world.ran == ["a", "b", "b", "b", "b"]
    world.fails.clear()
    task.step("b").reset(**WORD)
    assert task.result(PATIENCE) == {"a": "a 1", "b": "b 1", "c": "c 1"}
    keys = [call.idempotency_key for call in world.calls if call.step == "b"]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [2, 2, 1]


def test_a_failed_task_is_resolved_and_tells_the_results_that_there_are(engine: Engine) -> None:
    _, task = begin(engine, line, fails="b")
    assert task.wait(PATIENCE) is TaskState.ERROR

    task.resolve(**WORD)

    assert task.state is TaskState.RESOLVED_MANUALLY
    assert task.result(0) == {"a": "a 1"}


def test_a_blocked_task_waits_for_an_operator_who_gives_it_up(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    _, task = begin(engine, blocking, fails="a")
    blocked(shared_harness, task)

    with pytest.raises(TaskUnfinished):
        task.wait(0)
    task.fail(**WORD)

    with pytest.raises(TaskNotCompleted, match="ended as error: a: failed 2 of 2 times"):
        task.result(0)


@pytest.mark.parametrize("verb", ["resolve", "skip"])
def test_a_blocked_task_goes_on_when_its_step_is_settled(
    engine: Engine, verb: str, shared_harness: EngineHarness
) -> None:
    world, task = begin(engine, blocking, fails="a")
    blocked(shared_harness, task)

    getattr(task.step("a"), verb)(**WORD)

    assert task.result(PATIENCE) == {"b": "b 1"}
    assert world.ran == ["a", "a", "b"]


def test_a_step_that_was_done_elsewhere_hands_its_result_on(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    world, task = begin(engine, blocking, fails="a")
    blocked(shared_harness, task)

    task.step("a").complete({"done": [1, None]}, **WORD)

    assert task.result(PATIENCE) == {"a": {"done": [1, None]}, "b": "b 1"}
    assert world.calls[-1].results == {"a": {"done": [1, None]}}
    assert task.step("a").status.state is StepState.COMPLETE


def test_a_skipped_step_stops_what_depends_on_it_where_the_template_says_so(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    world, task = begin(engine, strict, fails="a")
    blocked(shared_harness, task)

    task.step("a").skip(**WORD)

    assert task.result(PATIENCE) == {"c": "c 1"}
    assert "b" not in world.ran
    assert task.step("b").status.state is StepState.PENDING


def test_a_step_waiting_for_its_retry_is_tried_at_once_after_a_reset(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    world, task = begin(engine, patient, fails="a")
    assert world.started["a"].wait(PATIENCE)
    shared_harness.until(lambda: task.step("a").status.state is StepState.WAITING_FOR_RETRY)
    world.fails.clear()

    task.step("a").reset(**WORD)

    assert task.result(PATIENCE)["a"] == "a 1"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda task: task.cancel(**WORD), "the task has ended: it is complete"),
        (lambda task: task.pause(**WORD), "the task has ended: it is complete"),
        (lambda task: task.reset(**WORD), "only a task that is blocked or in error can be reset"),
        (lambda task: task.fail(**WORD), "only a task that is blocked can be given up"),
        (lambda task: task.resolve(**WORD), "the task has ended: it is complete"),
        (lambda task: task.step("a").reset(**WORD), "the task has ended: it is complete"),
        (lambda task: task.step("aa").skip(**WORD), "the task has no step 'aa'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    engine: Engine, ask: Any, message: str
) -> None:
    _, task = begin(engine, line)
    task.result(PATIENCE)
    before = kinds(task.history())

    with pytest.raises(RequestDenied, match=message) as refused:
        ask(task)

    assert refused.value.task_id == task.id
    assert task.state is TaskState.COMPLETE
    assert len(kinds(task.history())) == len(before) + 2
    assert task.history()[-1].event.originator_id == refused.value.request_id


def test_a_task_that_starts_later_waits_for_its_time(harness: EngineHarness) -> None:
    engine = harness.open(line)
    at = datetime.now(UTC) + timedelta(hours=1)
    world, task = begin(engine, line, start_at=at)
    harness.until(lambda: task.state is TaskState.WAITING)
    assert world.ran == []

    harness.move_clock("61 minutes")

    assert task.result(PATIENCE)["a"] == "a 1"


def test_a_task_past_its_deadline_is_in_error_and_says_so(harness: EngineHarness) -> None:
    engine = harness.open(patient)
    at = datetime.now(UTC) + timedelta(minutes=5)
    world, task = begin(engine, patient, fails="a", deadline_at=at)
    assert world.started["a"].wait(PATIENCE)
    harness.until(lambda: task.state is TaskState.WAITING)

    harness.move_clock("6 minutes")

    with pytest.raises(TaskNotCompleted, match="ended as error: it had not ended by its deadline"):
        task.result(PATIENCE)
    assert task.step("a").status.state is StepState.CANCELLED


def blocked(harness: EngineHarness, task: Any) -> None:
    harness.until(lambda: task.state is TaskState.BLOCKED)


def test_of_a_paused_template_nothing_is_queued_until_it_is_resumed(harness: EngineHarness) -> None:
    engine = harness.open(line, patient)
    assert engine.pause_template("shop/line@1", **WORD)
    assert not engine.pause_template("shop/line@1", **WORD)
    world, task = begin(engine, line)
    _, other = begin(engine, patient)
    other.result(PATIENCE)
    assert world.ran == []

    assert engine.resume_template("shop/line@1", **WORD)

    assert set(task.result(PATIENCE)) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("shop/lime@1", "there is no template shop/lime@1; did you mean 'shop/line@1'"),
        ("line", "should be written as namespace/name@version"),
    ],
)
def test_a_template_that_there_is_not_cannot_be_paused(
    engine: Engine, key: str, message: str
) -> None:
    with pytest.raises(UnknownTemplate, match=message):
        engine.pause_template(key, **WORD)
