"""A step whose inputs cannot be read ends in a clear error; those claimed with it run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import Engine, TaskState
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCheckpointed,
    StepCompleted,
    StepError,
)
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness
from support.manual_worker import ManualWorker

NEIGHBOURS = 6
FAILED = (
    "select data from flowledger_v1.events where type = 'step.attempt_failed' order by position"
)

flow = Workflow("unreadable", "flow", version="1")
again = Workflow("unreadable", "again", version="1")


@flow.step
def first(context: dict[str, Any]) -> int:
    return context["number"]


@flow.step(after=[first])
def second(first: int) -> int:
    return first + 1


@again.step(retry=Retry(max_attempts=3, backoff="none"))
def resumes(step: StepContext) -> Any:
    return step.last_checkpoint


@pytest.fixture
def coordinator(harness: EngineHarness) -> Engine:
    return harness.open(flow, again, roles=["coordinator"])


@pytest.fixture
def opened() -> Generator[ExitStack]:
    with ExitStack() as found:
        yield found


def spoil(harness: EngineHarness, stream: UUID, topic: str, state: str = "no JSON") -> str:
    """Tamper with an event. Returns what the error must say of it."""
    harness.rows("set session_replication_role = replica")
    ((version,),) = harness.rows(
        "update flowledger.event set state = convert_to(%s, 'utf8')"
        " where originator_id = %s and topic = %s returning originator_version",
        *(state, stream, topic),
    )
    harness.rows("set session_replication_role = origin")
    return f"version {version} of stream {stream} (topic {topic!r}) cannot be read"


def queued(harness: EngineHarness, count: int) -> None:
    harness.until(
        lambda: (
            harness.value("select count(*) from flowledger.queue where worker_id is null") == count
        )
    )


def assert_failed_for_good(
    harness: EngineHarness, task: Any, message: str, before: int = 0
) -> None:
    assert task.wait(PATIENCE) is TaskState.ERROR
    failed = [data for (data,) in harness.rows(FAILED)][before:]
    (error,) = (fact["error"] for fact in failed)
    assert message in error["message"]
    assert (error["category"], error["retryable"]) == ("permanent", False)
    assert harness.value("select count(*) from flowledger.queue") == 0


@pytest.mark.parametrize("state", ["no JSON", "[]", "{}"])
def test_a_context_that_cannot_be_read_fails_its_step_and_no_other(
    harness: EngineHarness, coordinator: Engine, state: str
) -> None:
    tasks = coordinator.submit_many(flow, [{"number": n} for n in range(NEIGHBOURS + 1)])
    queued(harness, len(tasks))
    broken = tasks.pop(NEIGHBOURS // 2)
    message = spoil(harness, broken.id, "task.created", state)

    worker = harness.open(flow, roles=["worker"])

    for task in tasks:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert_failed_for_good(harness, broken, message)
    assert coordinator.submit(flow, {"number": 1}).result(PATIENCE) == {"first": 1, "second": 2}
    assert worker.health["worker"].ok


def test_a_result_that_cannot_be_read_fails_the_step_that_needs_it(
    harness: EngineHarness, coordinator: Engine, opened: ExitStack
) -> None:
    broken, neighbour = coordinator.submit_many(flow, [{"number": 1}, {"number": 2}])
    queued(harness, 2)
    hand = ManualWorker(harness, opened, flow)
    claims = hand.exchange(limit=2).claims
    hand.exchange([hand.fact(StepCompleted, claim, result=1) for claim in claims])
    queued(harness, 2)
    message = spoil(harness, step_id(broken.id, "first"), "step.completed")

    harness.open(flow, roles=["worker"])

    assert neighbour.result(PATIENCE)["second"] == 2
    assert_failed_for_good(harness, broken, message)


def test_a_checkpoint_that_cannot_be_read_fails_the_step_that_would_go_on_from_it(
    harness: EngineHarness, coordinator: Engine, opened: ExitStack
) -> None:
    task = coordinator.submit(again, {})
    queued(harness, 1)
    hand = ManualWorker(harness, opened, again)
    (claim,) = hand.exchange(limit=1).claims
    hand.board.checkpoint(hand.identity, hand.fact(StepCheckpointed, claim, state=1))
    error = StepError(error_class="OSError", message="no", category="transient", retryable=True)
    failed = hand.fact(StepAttemptFailed, claim, error=error)
    hand.exchange([failed.model_copy(update={"originator_version": claim.version + 2})])
    queued(harness, 1)
    message = spoil(harness, claim.step_id, "step.checkpointed")

    harness.open(again, roles=["worker"])

    assert_failed_for_good(harness, task, message, before=1)
