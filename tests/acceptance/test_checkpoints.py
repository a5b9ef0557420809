"""What a running handler tells of itself: checkpoints in the log, heartbeats beside it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from threading import Event
from typing import Any

import pytest

from flowledger.engine import Engine, TaskNotCompleted, TaskState
from flowledger.engine.errors import StepLost
from flowledger.engine.events.step import StepAttemptFailed, StepCheckpointed
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

AGAIN = Retry(max_attempts=3, backoff="none")
ROW = "select heartbeat_details, heartbeat_at is not null from flowledger.queue where task_id = %s"

flow = Workflow("checkpoints", "flow", version="1")
coroutines = Workflow("checkpoints", "coroutines", version="1")
careless = Workflow("checkpoints", "careless", version="1")
beating = Workflow("checkpoints", "beating", version="1")
taken = Workflow("checkpoints", "taken", version="1")
robbed = Workflow("checkpoints", "robbed", version="1")

entered: dict[str, Event] = defaultdict(Event)
released: dict[str, Event] = defaultdict(Event)
lost: list[bool] = []


@flow.step(retry=AGAIN)
def counts(step: StepContext) -> list[Any]:
    done: Any = step.last_checkpoint or []
    if len(done) == 2:
        return done
    step.checkpoint([*done, f"begun {step.attempt}"])
    step.checkpoint([*done, f"done {step.attempt}"])
    raise ConnectionError("the next attempt goes on from here")


@coroutines.step(retry=AGAIN)
async def counts_on(step: StepContext) -> Any:
    if step.last_checkpoint is not None:
        return step.last_checkpoint
    await step.checkpoint_async({"page": 7})
    raise ConnectionError("the next attempt goes on from here")


@careless.step(retry=Retry(max_attempts=1))
async def blocks(context: dict[str, Any], step: StepContext) -> None:
    step.checkpoint(1)


@careless.step(retry=Retry(max_attempts=1))
def not_json(context: dict[str, Any], step: StepContext) -> None:
    step.checkpoint({"at": object()})


@careless.step(retry=Retry(max_attempts=1))
def too_large(context: dict[str, Any], step: StepContext) -> None:
    step.checkpoint("x" * 100_000)


@beating.step
def beats(step: StepContext) -> None:
    step.heartbeat({"rows": 1})
    step.heartbeat({"rows": 2})
    entered["beats"].set()
    assert released["beats"].wait(PATIENCE)


@taken.step(timeout=60, retry=Retry(max_attempts=2, backoff="none"))
def is_taken(step: StepContext) -> int:
    if step.attempt == 1:
        entered["taken"].set()
        assert released["taken"].wait(PATIENCE)
        with pytest.raises(StepLost):
            step.checkpoint("too late")
        with pytest.raises(StepLost):
            step.heartbeat()
        lost.append(step.cancelled)
    return step.attempt


@robbed.step(retry=Retry(max_attempts=2, backoff="none"))
async def is_robbed(step: StepContext) -> int:
    if step.attempt == 1:
        entered["robbed"].set()
        await asyncio.Event().wait()
    return step.attempt


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    flows = (flow, coroutines, careless, beating, taken, robbed)
    return shared_harness.open(*flows, worker={"heartbeat_seconds": 0.05, "poll_seconds": 0.1})


def test_the_last_checkpoint_is_handed_to_the_next_attempt(engine: Engine) -> None:
    task = engine.submit(flow, {})

    assert task.result(PATIENCE) == {"counts": ["done 1", "done 2"]}
    assert [event.state for event in of_kind(task.history(), StepCheckpointed)] == [
        ["begun 1"],
        ["done 1"],
        ["done 1", "begun 2"],
        ["done 1", "done 2"],
    ]
    assert kinds(task.history(), "counts")[:6] == [
        "StepEnqueued", "StepStarted", "StepCheckpointed", "StepCheckpointed", "StepAttemptFailed",
        "StepEnqueued",
    ]  # fmt: skip


def test_a_coroutine_awaits_its_checkpoint(engine: Engine) -> None:
    assert engine.submit(coroutines, {}).result(PATIENCE) == {"counts_on": {"page": 7}}


def test_a_checkpoint_that_cannot_be_is_an_error_of_the_step(engine: Engine) -> None:
    task = engine.submit(careless, {})

    with pytest.raises(TaskNotCompleted):
        task.result(PATIENCE)

    said = {event.step: event.error.message for event in of_kind(task.history(), StepAttemptFailed)}
    assert "await checkpoint_async" in said["blocks"]
    assert "checkpoint.at" in said["not_json"]
    assert "worker.max_checkpoint_bytes is 100000" in said["too_large"]
    assert of_kind(task.history(), StepCheckpointed) == []


def test_the_last_heartbeat_can_be_seen_in_sql_and_is_not_in_the_log(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = engine.submit(beating, {})
    assert entered["beats"].wait(PATIENCE)

    shared_harness.until(lambda: shared_harness.rows(ROW, task.id) == [({"rows": 2}, True)])

    released["beats"].set()
    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert kinds(task.history(), "beats") == ["StepEnqueued", "StepStarted", "StepCompleted"]
    assert shared_harness.rows(ROW, task.id) == []


def test_a_handler_whose_step_was_taken_away_is_told(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = engine.submit(taken, {})
    assert entered["taken"].wait(PATIENCE)
    timer = "select count(*) from flowledger.timer where task_id = %s"
    shared_harness.until(lambda: shared_harness.value(timer, task.id))

    shared_harness.move_clock("61 seconds")

    assert task.result(PATIENCE) == {"is_taken": 2}
    released["taken"].set()
    shared_harness.until(lambda: lost == [True])
    assert of_kind(task.history(), StepCheckpointed) == []


def test_a_coroutine_whose_row_in_the_queue_is_gone_is_cancelled_and_tried_again(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    """Nobody has appended to its stream, so the log takes its report, and the task goes on."""
    task = engine.submit(robbed, {})
    assert entered["robbed"].wait(PATIENCE)

    shared_harness.rows("delete from flowledger.queue where task_id = %s", task.id)

    assert task.result(PATIENCE) == {"is_robbed": 2}
    assert of_kind(task.history(), StepAttemptFailed)[0].error.error_class == "StepLost"
