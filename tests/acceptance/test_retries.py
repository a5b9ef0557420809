"""Failed attempts are tried again by the policy; the engine's clock is moved, nobody sleeps."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest

from flowledger.engine import Engine, StepState, TaskHandle, TaskNotCompleted, TaskState
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepFailed,
    StepRetryScheduled,
    StepStarted,
)
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

AT_ONCE = Retry(max_attempts=3, backoff="none")
GROWING = Retry(
    max_attempts=4, backoff="exponential", base_seconds=60, cap_seconds=200, jitter="none"
)
ATTEMPT = ["StepStarted", "StepAttemptFailed"]

retried = Workflow("retries", "retried", version="1")


@retried.step(retry=AT_ONCE)
def soon(context: dict[str, int], step: StepContext) -> int:
    return succeed_after(context["failures"], step)


same = Workflow("retries", "same", version="1")
ALWAYS = RuntimeError("always this object")


@same.step(retry=AT_ONCE)
def the_same_error() -> None:
    raise ALWAYS


later = Workflow("retries", "later", version="1")


@later.step(retry=GROWING)
def much_later(context: dict[str, int], step: StepContext) -> int:
    return succeed_after(context["failures"], step)


never = Workflow("retries", "never", version="1")


@never.step(retry=Retry(max_attempts=0))
def forbidden() -> None:
    """Never executed."""


branches = Workflow("retries", "branches", version="1")
released = Event()


@branches.step(retry=Retry(max_attempts=1))
def fails() -> None:
    raise RuntimeError("at once")


@branches.step
def slow() -> str:
    assert released.wait(PATIENCE)
    return "slow"


@branches.step(after=[slow])
def after_slow() -> str:
    return "after slow"


@branches.step(after=[fails, slow])
def join() -> None:
    """Never reached."""


def succeed_after(failures: int, step: StepContext) -> int:
    if step.attempt <= failures:
        raise ConnectionError(f"attempt {step.attempt}")
    return step.attempt


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(retried, same, later, never, branches)


def until_scheduled(harness: EngineHarness, task: TaskHandle, times: int) -> None:
    """Until the retry is scheduled for the n-th time."""
    harness.until(lambda: len(of_kind(task.history(), StepRetryScheduled)) >= times)


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_step_that_fails_is_tried_again(engine: Engine, failures: int) -> None:
    task = engine.submit(retried, {"failures": failures})

    assert task.result(PATIENCE) == {"soon": failures + 1}
    again = ["StepEnqueued", *ATTEMPT] * failures
    assert kinds(task.history(), "soon") == [
        *again, "StepEnqueued", "StepStarted", "StepCompleted",
    ]  # fmt: skip
    assert task.steps()["soon"].attempts == failures + 1


def test_attempts_are_counted_in_the_history(engine: Engine) -> None:
    task = engine.submit(retried, {"failures": 2})
    task.result(PATIENCE)

    assert [event.attempt for event in of_kind(task.history(), StepStarted)] == [1, 2, 3]
    assert [
        (event.attempt, event.error.message, event.error.category)
        for event in of_kind(task.history(), StepAttemptFailed)
    ] == [(1, "attempt 1", "network"), (2, "attempt 2", "network")]


def test_an_error_that_is_raised_again_tells_where_it_was_raised_once(engine: Engine) -> None:
    task = engine.submit(same, {})
    task.wait(PATIENCE)

    raised = [str(event.error.traceback) for event in of_kind(task.history(), StepAttemptFailed)]
    assert [traceback.count("raise ALWAYS") for traceback in raised] == [1, 1, 1]


def test_a_step_whose_attempts_are_used_up_is_in_error(engine: Engine) -> None:
    task = engine.submit(retried, {"failures": 3})

    with pytest.raises(TaskNotCompleted, match="failed 3 of 3 times: ConnectionError: attempt 3"):
        task.result(PATIENCE)

    assert kinds(task.history(), "soon") == [*["StepEnqueued", *ATTEMPT] * 3, "StepFailed"]
    assert of_kind(task.history(), StepFailed)[0].reason == "exhausted"
    assert task.state is TaskState.ERROR
    assert task.steps()["soon"].state is StepState.ERROR


def test_a_step_waits_for_its_backoff_by_the_engines_clock(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = engine.submit(later, {"failures": 3})

    for times in (1, 2, 3):
        until_scheduled(shared_harness, task, times)
        assert task.steps()["much_later"].state is StepState.WAITING_FOR_RETRY
        assert task.state is TaskState.WAITING
        shared_harness.move_clock("4 minutes")

    assert task.result(PATIENCE) == {"much_later": 4}
    failed = of_kind(task.history(), StepAttemptFailed)
    scheduled = of_kind(task.history(), StepRetryScheduled)
    decided = [event.due_at - event.occurred_at for event in scheduled]
    assert decided == [timedelta(seconds=60), timedelta(seconds=120), timedelta(seconds=200)]
    started = of_kind(task.history(), StepStarted)
    assert [event.causation_id for event in scheduled] == [event.event_id for event in failed]
    for event, next_start in zip(scheduled, started[1:], strict=True):
        assert next_start.occurred_at >= event.due_at


def test_a_retry_does_not_come_before_its_time(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = engine.submit(later, {"failures": 1})
    until_scheduled(shared_harness, task, 1)

    shared_harness.move_clock("40 seconds")
    other = engine.submit(retried, {"failures": 0})
    other.result(PATIENCE)
    assert task.steps()["much_later"].state is StepState.WAITING_FOR_RETRY

    shared_harness.move_clock("21 seconds")
    assert task.result(PATIENCE) == {"much_later": 2}


def test_a_step_that_may_never_run_is_in_error_without_an_attempt(engine: Engine) -> None:
    task = engine.submit(never, {})

    with pytest.raises(TaskNotCompleted, match="the policy allows no attempt"):
        task.result(PATIENCE)

    assert kinds(task.history(), "forbidden") == ["StepFailed"]


def test_the_other_branches_finish_before_the_task_fails(engine: Engine) -> None:
    released.clear()
    task = engine.submit(branches, {})
    assert task.state is not TaskState.ERROR
    released.set()

    assert task.wait(PATIENCE) is TaskState.ERROR
    history = task.history()
    assert kinds(history)[-1] == "TaskFailed"
    assert history[-1].event.failed_steps == ("fails",)
    assert kinds(history, "after_slow")[-1] == "StepCompleted"
    assert kinds(history, "join") == []
    assert {name: step.state for name, step in task.steps().items()} == {
        "fails": StepState.ERROR,
        "slow": StepState.COMPLETE,
        "after_slow": StepState.COMPLETE,
        "join": StepState.PENDING,
    }


def test_backoffs_are_kept_by_whoever_leads_next(harness: EngineHarness) -> None:
    """The process that scheduled the retry is gone when its time comes."""
    first = harness.open(later)
    task = first.submit(later, {"failures": 1})
    until_scheduled(harness, task, 1)
    first.close()
    second = harness.open(later)

    harness.move_clock("2 minutes")

    assert second.task(task.id).result(PATIENCE) == {"much_later": 2}
