"""The two life cycles, as tables. What is not in a table cannot happen.

A failed attempt, a timeout, a lost lease and a step handed back all lead to `waiting_for_retry`:
the step then waits for the coordinator's word, which is another queueing, now or at a due time, or
the end. `error` is therefore always permanent or exhausted.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from flowledger.engine.domain.events import (
    StepCompleted,
    StepEnqueued,
    StepErrored,
    StepEvent,
    StepFailed,
    StepHandedBack,
    StepLeaseExpired,
    StepRetryScheduled,
    StepStarted,
    StepTimedOut,
    TaskCompleted,
    TaskCreated,
    TaskEvent,
    TaskFailed,
    TaskStarted,
)
from flowledger.engine.errors import IllegalTransition


class TaskState(StrEnum):
    """Where a task stands."""

    # Enum hashes in Python what str hashes in C, and every transition is a look-up.
    __hash__ = str.__hash__

    SUBMITTED = "submitted"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    ERROR = "error"


class StepState(StrEnum):
    """Where a step stands."""

    __hash__ = str.__hash__

    PENDING = "pending"
    ENQUEUED = "enqueued"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_RETRY = "waiting_for_retry"
    COMPLETE = "complete"
    ERROR = "error"


TASK_TRANSITIONS: Mapping[tuple[TaskState, type[TaskEvent]], TaskState] = MappingProxyType(
    {
        (TaskState.SUBMITTED, TaskCreated): TaskState.PENDING,
        (TaskState.PENDING, TaskStarted): TaskState.IN_PROGRESS,
        (TaskState.IN_PROGRESS, TaskCompleted): TaskState.COMPLETE,
        (TaskState.IN_PROGRESS, TaskFailed): TaskState.ERROR,
    }
)

STEP_TRANSITIONS: Mapping[tuple[StepState, type[StepEvent]], StepState] = MappingProxyType(
    {
        (StepState.PENDING, StepEnqueued): StepState.ENQUEUED,
        (StepState.PENDING, StepErrored): StepState.ERROR,
        (StepState.ENQUEUED, StepStarted): StepState.IN_PROGRESS,
        (StepState.IN_PROGRESS, StepCompleted): StepState.COMPLETE,
        (StepState.IN_PROGRESS, StepFailed): StepState.WAITING_FOR_RETRY,
        (StepState.IN_PROGRESS, StepHandedBack): StepState.WAITING_FOR_RETRY,
        (StepState.IN_PROGRESS, StepTimedOut): StepState.WAITING_FOR_RETRY,
        (StepState.IN_PROGRESS, StepLeaseExpired): StepState.WAITING_FOR_RETRY,
        (StepState.WAITING_FOR_RETRY, StepRetryScheduled): StepState.WAITING_FOR_RETRY,
        (StepState.WAITING_FOR_RETRY, StepEnqueued): StepState.ENQUEUED,
        (StepState.WAITING_FOR_RETRY, StepErrored): StepState.ERROR,
    }
)

TASK_ENDS = frozenset(TaskState) - {source for source, _ in TASK_TRANSITIONS}
STEP_ENDS = frozenset(StepState) - {source for source, _ in STEP_TRANSITIONS}


def next_task_state(state: TaskState, event: TaskEvent) -> TaskState:
    """The state after the event. Raises IllegalTransition where the table has no such row."""
    try:
        return TASK_TRANSITIONS[state, type(event)]
    except KeyError:
        allowed = tuple(kind.__name__ for source, kind in TASK_TRANSITIONS if source is state)
        raise IllegalTransition(
            f"task {event.task_id}", state, type(event).__name__, allowed
        ) from None


def next_step_state(state: StepState, event: StepEvent) -> StepState:
    """The state after the event. Raises IllegalTransition where the table has no such row."""
    try:
        return STEP_TRANSITIONS[state, type(event)]
    except KeyError:
        allowed = tuple(kind.__name__ for source, kind in STEP_TRANSITIONS if source is state)
        raise IllegalTransition(
            f"step {event.step!r} of task {event.task_id}", state, type(event).__name__, allowed
        ) from None
