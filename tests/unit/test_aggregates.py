"""A task and a step are the folds of their streams."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import pytest

from flowledger.engine.domain.machine.evolve import (
    NEW_STEP,
    NEW_TASK,
    Step,
    Task,
    evolve_step,
    evolve_task,
)
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCompleted,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepReleased,
    StepRetryScheduled,
    StepStarted,
    StepTimedOut,
)
from flowledger.engine.events.task import TaskCompleted, TaskCreated, TaskFailed, TaskStarted
from support.builders import NOON, TASK, WORKER, error, event

CREATED = event(TaskCreated, 1, version="1", definition_hash="v1:x", template_id=TASK)
STARTED = event(TaskStarted, 2)


def fold_task(events: Iterable[TaskEvent], task: Task = NEW_TASK) -> Task:
    """The task after all its events."""
    return reduce(evolve_task, events, task)


def fold_step(events: Iterable[StepEvent], step: Step = NEW_STEP) -> Step:
    """The step after all its events."""
    return reduce(evolve_step, events, step)


def stream(*kinds: tuple[type[StepEvent], dict[str, Any]]) -> list[StepEvent]:
    return [event(kind, n, step="a", **data) for n, (kind, data) in enumerate(kinds, start=1)]


ENQUEUED = (StepEnqueued, {"attempt": 1})
BEGUN = (StepStarted, {"attempt": 1, "worker": WORKER})
FAILED = (StepAttemptFailed, {"error": error()})
TIMED_OUT = (StepTimedOut, {"timeout_seconds": 1.0})
LOST = (StepLeaseExpired, {"worker": WORKER})
BACK = (StepReleased, {})
AGAIN = (StepEnqueued, {"attempt": 2})
BEGUN_AGAIN = (StepStarted, {"attempt": 2, "worker": WORKER})


@pytest.mark.parametrize(
    ("given", "then"),
    [
        pytest.param([], Step(), id="nothing has happened"),
        pytest.param([ENQUEUED], Step(StepState.ENQUEUED, 1), id="queued, not started"),
        pytest.param([ENQUEUED, BEGUN], Step(StepState.IN_PROGRESS, 2, 1), id="started once"),
        pytest.param(
            [ENQUEUED, BEGUN, (StepCompleted, {"result": 1})],
            Step(StepState.COMPLETE, 3, 1),
            id="complete",
        ),
        pytest.param(
            [ENQUEUED, BEGUN, FAILED],
            Step(StepState.WAITING_FOR_RETRY, 3, 1, failures=1),
            id="a failure counts",
        ),
        pytest.param(
            [ENQUEUED, BEGUN, TIMED_OUT],
            Step(StepState.WAITING_FOR_RETRY, 3, 1, failures=1),
            id="a timeout counts as a failure",
        ),
        pytest.param(
            [ENQUEUED, BEGUN, LOST],
            Step(StepState.WAITING_FOR_RETRY, 3, 1, lost=1),
            id="a lost lease is no failure",
        ),
        pytest.param(
            [ENQUEUED, BEGUN, BACK],
            Step(StepState.WAITING_FOR_RETRY, 3, 1, returned=1),
            id="handing back is neither",
        ),
        pytest.param(
            [ENQUEUED, BEGUN, FAILED, (StepRetryScheduled, {"due_at": NOON}), AGAIN, BEGUN_AGAIN],
            Step(StepState.IN_PROGRESS, 6, 2, failures=1),
            id="the second attempt runs",
        ),
        pytest.param(
            [ENQUEUED, BEGUN, FAILED, (StepFailed, {"reason": "permanent", "message": "no"})],
            Step(StepState.ERROR, 4, 1, failures=1),
            id="given up",
        ),
        pytest.param(
            [(StepFailed, {"reason": "never", "message": "no"})],
            Step(StepState.ERROR, 1),
            id="never to run",
        ),
    ],
)
def test_a_step_is_the_fold_of_its_stream(given: list[Any], then: Step) -> None:
    assert fold_step(stream(*given)) == then


@pytest.mark.parametrize(
    ("given", "then"),
    [
        pytest.param([], Task(), id="nothing has happened"),
        pytest.param([CREATED], Task(TaskState.PENDING, 1), id="created"),
        pytest.param([CREATED, STARTED], Task(TaskState.IN_PROGRESS, 2), id="started"),
        pytest.param(
            [CREATED, STARTED, event(TaskCompleted, 3)], Task(TaskState.COMPLETE, 3), id="complete"
        ),
        pytest.param(
            [CREATED, STARTED, event(TaskFailed, 3, failed_steps=("a",))],
            Task(TaskState.ERROR, 3),
            id="failed",
        ),
    ],
)
def test_a_task_is_the_fold_of_its_stream(given: list[Any], then: Task) -> None:
    assert fold_task(given) == then


def test_a_fold_goes_on_where_another_ended() -> None:
    history = stream(ENQUEUED, BEGUN, FAILED)

    assert fold_step(history[2:], fold_step(history[:2])) == fold_step(history)


def test_an_illegal_event_changes_nothing() -> None:
    with pytest.raises(IllegalTransition):
        fold_step(stream(BEGUN))

    assert Step() == NEW_STEP
