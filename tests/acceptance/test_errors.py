"""What a handler raises decides what follows, and every attempt's error is kept for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flowledger.engine import Engine, StepState, TaskHandle, TaskNotCompleted
from flowledger.engine.events.step import StepAttemptFailed, StepFailed, StepRetryScheduled
from flowledger.handlers import Classification, Retry, StepContext, Workflow
from flowledger.handlers.errors import BusinessFault, NetworkFault, RateLimitFault, TimeoutFault
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

AT_ONCE = Retry(max_attempts=3, backoff="none")
TRACEBACK_BYTES = 300

different = Workflow("errors", "different", version="1")


class PrinterOnFire(Exception):
    """An application's own."""


@different.step(retry=AT_ONCE)
def thrice(step: StepContext) -> None:
    if step.attempt == 1:
        raise ConnectionError("no route")
    if step.attempt == 2:
        raise PrinterOnFire("x" * 5_000)
    raise TimeoutFault("too slow")


final = Workflow("errors", "final", version="1")


@final.step(retry=AT_ONCE)
def declined() -> None:
    raise BusinessFault("the card was declined")


@final.step(retry=AT_ONCE)
def mistaken() -> None:
    raise KeyError("cents")


wished = Workflow("errors", "wished", version="1")


@wished.step(retry=Retry(backoff="none", asked_cap_seconds=600))
def asked(context: dict[str, float], step: StepContext) -> int:
    if step.attempt == 1:
        raise RateLimitFault("slowly", retry_after=context["seconds"])
    return step.attempt


def is_busy(error: Exception) -> bool:
    return "busy" in str(error)


judged = Workflow("errors", "judged", version="1")


@judged.step(retry=AT_ONCE, retry_if=is_busy)
def busy(step: StepContext) -> int:
    if step.attempt < 3:
        raise ValueError("busy")
    return step.attempt


@judged.step(retry=AT_ONCE, retry_if=is_busy)
async def idle() -> None:
    raise NetworkFault("no route")


listed = Workflow("errors", "listed", version="1")


@listed.step(retry=Retry(backoff="none", categories=("timeout",)))
def picky(step: StepContext) -> None:
    raise TimeoutFault("late") if step.attempt == 1 else NetworkFault("no route")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(
        different, final, wished, judged, listed, worker={"traceback_limit_bytes": TRACEBACK_BYTES}
    )


def failed(task: TaskHandle) -> dict[str, str]:
    with pytest.raises(TaskNotCompleted) as caught:
        task.result(PATIENCE)
    return caught.value.errors


def test_every_attempts_error_is_kept(engine: Engine) -> None:
    task = engine.submit(different, {})
    assert failed(task) == {"thrice": "failed 3 of 3 times: TimeoutFault: too slow"}

    events = of_kind(task.history(), StepAttemptFailed)
    assert [
        (event.attempt, event.error.error_class, event.error.category, event.error.retryable)
        for event in events
    ] == [
        (1, "ConnectionError", "network", True),
        (2, "PrinterOnFire", "unknown", True),
        (3, "TimeoutFault", "timeout", True),
    ]
    assert [event.error.message for event in events] == ["no route", "x" * 2_000, "too slow"]
    for event in events:
        assert event.error.traceback is not None
        assert 0 < len(event.error.traceback.encode()) <= TRACEBACK_BYTES
    assert 'raise ConnectionError("no route")' in events[0].error.traceback


def test_what_is_final_is_not_tried_again(engine: Engine) -> None:
    task = engine.submit(final, {})

    assert failed(task) == {
        "declined": "BusinessFault: the card was declined",
        "mistaken": "KeyError: 'cents'",
    }
    for step, category in (("declined", "business"), ("mistaken", "permanent")):
        (event,) = of_kind(task.history(), StepAttemptFailed, step)
        assert (event.error.category, event.error.retryable) == (category, False)
        (end,) = of_kind(task.history(), StepFailed, step)
        assert end.reason == "permanent"


@pytest.mark.parametrize(("seconds", "waited"), [(120.0, 120), (86_400.0, 600)])
def test_a_step_waits_as_long_as_a_service_asks_within_its_cap(
    engine: Engine, shared_harness: EngineHarness, seconds: float, waited: int
) -> None:
    task = engine.submit(wished, {"seconds": seconds})
    shared_harness.until(lambda: of_kind(task.history(), StepRetryScheduled))

    (event,) = of_kind(task.history(), StepAttemptFailed)
    (scheduled,) = of_kind(task.history(), StepRetryScheduled)
    assert (event.error.category, event.error.retry_after_seconds) == ("rate_limit", seconds)
    assert scheduled.due_at - scheduled.occurred_at == timedelta(seconds=waited)
    shared_harness.move_clock(f"{waited} seconds")
    assert task.result(PATIENCE) == {"asked": 2}


def test_a_steps_own_predicate_decides_what_is_tried_again(engine: Engine) -> None:
    task = engine.submit(judged, {})

    assert failed(task) == {"idle": "NetworkFault: no route"}
    assert task.steps()["busy"].state is StepState.COMPLETE
    assert [
        (event.error.category, event.error.retryable)
        for event in of_kind(task.history(), StepAttemptFailed, "busy")
    ] == [("validation", True)] * 2
    (event,) = of_kind(task.history(), StepAttemptFailed, "idle")
    assert (event.error.category, event.error.retryable) == ("network", False)


def test_a_policy_may_name_the_categories_that_are_tried_again(engine: Engine) -> None:
    task = engine.submit(listed, {})

    assert failed(task) == {"picky": "NetworkFault: no route"}
    assert [event.error.retryable for event in of_kind(task.history(), StepAttemptFailed)] == [
        True,
        True,
    ]
    assert kinds(task.history(), "picky")[-2:] == ["StepAttemptFailed", "StepFailed"]
    (end,) = of_kind(task.history(), StepFailed)
    assert end.reason == "permanent"


def test_a_predicate_is_no_part_of_the_definition() -> None:
    def declare(**options: Any) -> str:
        flow = Workflow("errors", "same", version="1")
        flow.step(retry=AT_ONCE, **options)(declined)
        return flow.template.definition_hash

    assert declare() == declare(retry_if=is_busy)


def stubborn(error: BaseException) -> Classification:
    """An application in which nothing is final."""
    return Classification("transient", retryable=True)


def test_an_application_sorts_errors_its_own_way(harness: EngineHarness) -> None:
    with Engine.open(workflows=[final], settings=harness.settings(), classifier=stubborn) as engine:
        task = engine.submit(final, {})
        assert failed(task)["mistaken"] == "failed 3 of 3 times: KeyError: 'cents'"
        errors = [event.error for event in of_kind(task.history(), StepAttemptFailed)]
        assert {error.category for error in errors} == {"transient"}
