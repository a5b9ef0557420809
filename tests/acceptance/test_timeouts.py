"""Attempts that run longer than the template allows."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from threading import Event

import pytest

from flowledger.engine import Engine, TaskHandle, TaskNotCompleted, TaskState
from flowledger.engine.events.step import StepFailed, StepTimedOut
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

AdmissionControl = dict[tuple[str, int], Event]

sync = Workflow("timeouts", "sync", version="1")
entered: AdmissionControl = defaultdict(Event)
released: AdmissionControl = defaultdict(Event)


@sync.step(timeout=60, retry=Retry(max_attempts=2, backoff="none"))
def blocked(context: dict[str, str], step: StepContext) -> int:
    place = context["name"], step.attempt
    entered[place].set()
    assert released[place].wait(PATIENCE)
    return step.attempt


unstarted = Workflow("timeouts", "unstarted", version="1")


@unstarted.step(start_timeout=60)
def late() -> str:
    return "started"


coroutines = Workflow("timeouts", "async", version="1")
cancelled = Event()


@coroutines.step(timeout=0.05, retry=Retry(max_attempts=1))
async def patient() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled.set()
        raise


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(sync, coroutines)


def running(engine: Engine, harness: EngineHarness, name: str) -> TaskHandle:
    """A task whose first attempt runs and is known to, so that its timer is set."""
    task = engine.submit(sync, {"name": name})
    assert entered[name, 1].wait(PATIENCE)
    query = "select count(*) from flowledger.timer where task_id = %s"
    harness.until(lambda: harness.value(query, task.id))
    return task


def test_an_attempt_that_takes_too_long_is_given_up_and_tried_again(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = running(engine, shared_harness, "again")

    shared_harness.move_clock("61 seconds")
    assert entered["again", 2].wait(PATIENCE)
    released["again", 2].set()

    assert task.result(PATIENCE) == {"blocked": 2}
    assert kinds(task.history(), "blocked") == [
        "StepEnqueued", "StepStarted", "StepTimedOut",
        "StepEnqueued", "StepStarted", "StepCompleted",
    ]  # fmt: skip
    assert of_kind(task.history(), StepTimedOut)[0].timeout_seconds == 60
    released["again", 1].set()


def test_the_report_of_an_attempt_that_was_given_up_is_refused(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    """Also where the same worker runs the next attempt meanwhile, and is not confused by it."""
    task = running(engine, shared_harness, "late")
    shared_harness.move_clock("61 seconds")
    assert entered["late", 2].wait(PATIENCE)

    released["late", 1].set()
    # What is reported after the late report is also handled after it.
    other = engine.submit(sync, {"name": "other"})
    released["other", 1].set()
    other.result(PATIENCE)
    assert task.state is TaskState.IN_PROGRESS
    held = shared_harness.value("select count(*) from flowledger.queue where task_id = %s", task.id)
    assert held == 1, "the second attempt's place in the queue is gone with the first's report"

    released["late", 2].set()
    assert task.wait(PATIENCE / 6) is TaskState.COMPLETE
    assert task.result() == {"blocked": 2}
    assert kinds(task.history(), "blocked").count("StepCompleted") == 1


def test_a_step_that_times_out_too_often_is_in_error(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = running(engine, shared_harness, "exhausted")
    shared_harness.move_clock("61 seconds")
    assert entered["exhausted", 2].wait(PATIENCE)
    timer = "select count(*) from flowledger.timer where task_id = %s"
    shared_harness.until(lambda: shared_harness.value(timer, task.id))
    shared_harness.move_clock("61 seconds")

    with pytest.raises(TaskNotCompleted, match="failed 2 of 2 times: ran longer than 60 s"):
        task.result(PATIENCE)

    assert of_kind(task.history(), StepFailed)[0].reason == "exhausted"
    for attempt in (1, 2):
        released["exhausted", attempt].set()


def test_an_attempt_that_ends_in_time_leaves_no_timer(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = running(engine, shared_harness, "in time")
    released["in time", 1].set()
    assert task.result(PATIENCE) == {"blocked": 1}

    query = "select count(*) from flowledger.timer where task_id = %s"
    assert shared_harness.value(query, task.id) == 0
    shared_harness.move_clock("2 minutes")
    engine.submit(coroutines, {}).wait(PATIENCE)
    assert kinds(task.history())[-1] == "TaskCompleted"


def test_a_coroutine_that_takes_too_long_is_cancelled(engine: Engine) -> None:
    task = engine.submit(coroutines, {})

    assert cancelled.wait(PATIENCE)
    assert task.wait(PATIENCE) is TaskState.ERROR
    assert kinds(task.history(), "patient") == [
        "StepEnqueued", "StepStarted", "StepTimedOut", "StepFailed",
    ]  # fmt: skip


def test_a_step_that_nobody_starts_in_time_is_in_error_and_not_run_later(
    harness: EngineHarness,
) -> None:
    """By rows with a due time and the engine's clock: one is started in time, one is not."""
    engine = harness.open(unstarted, roles=["coordinator"])
    task = engine.submit(unstarted, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.timer") == 1)
    harness.move_clock("59 seconds")
    harness.until_coordinators_know_the_time()
    in_time = engine.submit(unstarted, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.timer") == 2)

    harness.move_clock("2 seconds")

    with pytest.raises(TaskNotCompleted, match="no worker started it within 60 s"):
        task.result(PATIENCE)
    assert kinds(task.history(), "late") == ["StepEnqueued", "StepFailed"]
    harness.open(unstarted, roles=["worker"])
    assert in_time.result(PATIENCE) == {"late": "started"}
    assert kinds(task.history(), "late") == ["StepEnqueued", "StepFailed"]
    assert harness.value("select count(*) from flowledger.timer") == 0
