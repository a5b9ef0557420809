"""What a running handler learns of a cancel, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from threading import Event
from typing import Any

import pytest
from psycopg import Cursor

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.errors import StepStopRequested
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted
from flowledger.engine.events.step import StepCancelled as CancelledEvent
from flowledger.handlers import StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

ASKED = {"reason": "not wanted any more", "actor": "ada"}

flow = Workflow("cancels", "flow", version="1")
coroutines = Workflow("cancels", "coroutines", version="1")
transactional = Workflow("cancels", "transactional", version="1")

entered: dict[str, Event] = defaultdict(Event)
released: dict[str, Event] = defaultdict(Event)
cleaned: dict[str, Event] = defaultdict(Event)
told: dict[str, Any] = {}
runs: Counter[str] = Counter()


@flow.step
def waits(context: dict[str, str], step: StepContext) -> str:
    name = context["name"]
    runs[name] += 1
    entered[name].set()
    assert released[name].wait(PATIENCE)
    told[name] = step.cancelled
    match name:
        case "heeds":
            step.heartbeat()
        case "notes":
            step.checkpoint("half")
            with pytest.raises(StepStopRequested):
                step.heartbeat()
    return name


@coroutines.step
async def waits_on(context: dict[str, str]) -> str:
    name = context["name"]
    entered[name].set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cleaned[name].set()
        if name == "obstinate":
            return "done all the same"
        raise
    return "never"


@transactional.step(transactional=True)
def writes(context: dict[str, str], cursor: Cursor) -> str:
    cursor.execute("insert into written values (%s)", (context["name"],))
    entered[context["name"]].set()
    assert released[context["name"]].wait(PATIENCE)
    return context["name"]


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    """Nobody looks at running steps by itself within a test: it is told of each cancel."""
    shared_harness.rows("create table written (name text)")
    return shared_harness.open(
        flow, coroutines, transactional, worker={"heartbeat_seconds": 600.0, "poll_seconds": 600.0}
    )


def running(engine: Engine, workflow: Any, name: str) -> TaskHandle:
    task = engine.submit(workflow, {"name": name})
    assert entered[name].wait(PATIENCE)
    return task


def cancelled(engine: Engine, harness: EngineHarness, name: str) -> TaskHandle:
    """A task that was cancelled while its step ran, and whose worker knows."""
    task = running(engine, flow, name)
    task.cancel(**ASKED)
    assert task.wait(PATIENCE) is TaskState.CANCELLED
    worker = engine._service._worker
    assert worker
    harness.until(lambda: any(j.attempt.cancelled for j in worker[0]._running.values()))
    released[name].set()
    harness.until(lambda: kinds(task.history(), "waits")[-1] != "StepCancelSignalled")
    return task


def test_a_coroutine_is_cancelled_and_may_clean_up(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = running(engine, coroutines, "clean")

    task.cancel(**ASKED)

    assert cleaned["clean"].wait(PATIENCE)
    assert task.wait(PATIENCE) is TaskState.CANCELLED
    shared_harness.until(lambda: of_kind(task.history(), CancelledEvent))
    assert kinds(task.history(), "waits_on") == [
        "StepEnqueued", "StepStarted", "StepCancelSignalled", "StepAttemptFailed", "StepCancelled",
    ]  # fmt: skip
    assert of_kind(task.history(), StepAttemptFailed)[0].error.error_class == "StepStopRequested"


def test_a_coroutine_that_ends_all_the_same_is_recorded(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = running(engine, coroutines, "obstinate")

    task.cancel(**ASKED)

    shared_harness.until(lambda: of_kind(task.history(), StepCompleted))
    assert task.wait(PATIENCE) is TaskState.CANCELLED
    assert of_kind(task.history(), StepCompleted)[0].result == "done all the same"


def test_a_thread_is_told_and_its_result_is_recorded(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = cancelled(engine, shared_harness, "finishes")

    assert told["finishes"] is True
    assert kinds(task.history(), "waits")[2:] == ["StepCancelSignalled", "StepCompleted"]


def test_a_heartbeat_ends_a_thread_that_heeds_it(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = cancelled(engine, shared_harness, "heeds")

    shared_harness.until(lambda: of_kind(task.history(), CancelledEvent))
    assert kinds(task.history(), "waits")[2:] == [
        "StepCancelSignalled", "StepAttemptFailed", "StepCancelled",
    ]  # fmt: skip


def test_a_cancelled_step_may_still_note_how_far_it_is(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = cancelled(engine, shared_harness, "notes")

    shared_harness.until(lambda: of_kind(task.history(), StepCompleted))
    assert kinds(task.history(), "waits")[2:] == [
        "StepCancelSignalled", "StepCheckpointed", "StepCompleted",
    ]  # fmt: skip


def test_a_report_that_the_signal_overtook_is_made_again(harness: EngineHarness) -> None:
    """The worker is stopped from looking, so it reports at a version that is taken."""
    engine = harness.open(
        flow, roles=["coordinator", "worker"],
        worker={"heartbeat_seconds": 600.0, "poll_seconds": 600.0},
    )  # fmt: skip
    worker = engine._service._worker
    assert worker
    task = running(engine, flow, "overtaken")
    worker[0]._check_claims = lambda: None  # type: ignore[method-assign]
    task.cancel(**ASKED)
    assert task.wait(PATIENCE) is TaskState.CANCELLED

    released["overtaken"].set()

    harness.until(lambda: of_kind(task.history(), StepCompleted))
    assert (runs["overtaken"], told["overtaken"]) == (1, False)
    assert harness.value("select count(*) from flowledger.queue") == 0


def test_the_rows_of_a_transactional_step_commit_behind_the_signal(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = running(engine, transactional, "commits")
    task.cancel(**ASKED)
    assert task.wait(PATIENCE) is TaskState.CANCELLED

    released["commits"].set()

    shared_harness.until(lambda: of_kind(task.history(), StepCompleted))
    assert shared_harness.rows("select name from written") == [("commits",)]
