"""The state machines of tasks and steps as transition tables. What is not in a table cannot happen.

A failed attempt, a timeout, a lost lease and a released step all lead to `waiting_for_retry`: the
step then waits for the coordinator's decision, which is to queue it again, now or later, or to end
it. `error` is therefore always permanent or exhausted.

A task in `error` has ended, and so has a step; an operator may reopen both. Paused is no state: a
task is paused in the state that it is in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from flowledger.engine import events as happened
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.base import StepEvent, TaskEvent


class TaskState(StrEnum):
    """Where a task stands."""

    # Enum hashes in Python what str hashes in C, and every transition is a look-up.
    __hash__ = str.__hash__

    SUBMITTED = "submitted"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    BLOCKED = "blocked"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"
    RESOLVED_MANUALLY = "resolved_manually"


class StepState(StrEnum):
    """Where a step stands."""

    __hash__ = str.__hash__

    PENDING = "pending"
    ENQUEUED = "enqueued"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_RETRY = "waiting_for_retry"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"
    RESOLVED_MANUALLY = "resolved_manually"
    SKIPPED = "skipped"


TASK_ENDS = frozenset(
    {TaskState.COMPLETE, TaskState.ERROR, TaskState.CANCELLED, TaskState.RESOLVED_MANUALLY}
)
STEP_ENDS = frozenset(
    {
        StepState.COMPLETE,
        StepState.ERROR,
        StepState.CANCELLED,
        StepState.RESOLVED_MANUALLY,
        StepState.SKIPPED,
    }
)
DONE = frozenset({StepState.COMPLETE, StepState.RESOLVED_MANUALLY})
"""Steps that satisfy their children whatever the template says."""

TaskTable = dict[tuple[TaskState, type[TaskEvent]], TaskState]
StepTable = dict[tuple[StepState, type[StepEvent]], StepState]


def _tasks(sources: Iterable[TaskState], kind: type[TaskEvent], target: TaskState) -> TaskTable:
    return {(source, kind): target for source in sources}


def _steps(sources: Iterable[StepState], kind: type[StepEvent], target: StepState) -> StepTable:
    return {(source, kind): target for source in sources}


def _stays(kind: type[TaskEvent]) -> TaskTable:
    return {(state, kind): state for state in TASK_OPEN}


TASK_OPEN = (TaskState.PENDING, TaskState.IN_PROGRESS, TaskState.WAITING, TaskState.BLOCKED)
STEP_RESTS = (
    StepState.PENDING,
    StepState.ENQUEUED,
    StepState.WAITING_FOR_RETRY,
    StepState.ERROR,
)
"""Where a step stands still, so that an operator's word can settle it at once."""

TASK_TRANSITIONS: Mapping[tuple[TaskState, type[TaskEvent]], TaskState] = MappingProxyType(
    {
        (TaskState.SUBMITTED, happened.TaskCreated): TaskState.PENDING,
        (TaskState.PENDING, happened.TaskWaiting): TaskState.WAITING,
        (TaskState.PENDING, happened.TaskStarted): TaskState.IN_PROGRESS,
        (TaskState.WAITING, happened.TaskStarted): TaskState.IN_PROGRESS,
        (TaskState.IN_PROGRESS, happened.TaskWaiting): TaskState.WAITING,
        (TaskState.WAITING, happened.TaskWaitEnded): TaskState.IN_PROGRESS,
        (TaskState.IN_PROGRESS, happened.TaskCompleted): TaskState.COMPLETE,
        (TaskState.IN_PROGRESS, happened.TaskFailed): TaskState.ERROR,
        (TaskState.IN_PROGRESS, happened.TaskBlocked): TaskState.BLOCKED,
        (TaskState.BLOCKED, happened.TaskFailed): TaskState.ERROR,
        (TaskState.BLOCKED, happened.TaskReopened): TaskState.IN_PROGRESS,
        (TaskState.ERROR, happened.TaskReopened): TaskState.IN_PROGRESS,
        (TaskState.ERROR, happened.TaskResolvedManually): TaskState.RESOLVED_MANUALLY,
        **_tasks(TASK_OPEN, happened.TaskTimedOut, TaskState.ERROR),
        **_tasks(TASK_OPEN, happened.TaskCancelled, TaskState.CANCELLED),
        **_tasks(TASK_OPEN, happened.TaskResolvedManually, TaskState.RESOLVED_MANUALLY),
        **_stays(happened.TaskPaused),
        **_stays(happened.TaskResumed),
    }
)

STEP_TRANSITIONS: Mapping[tuple[StepState, type[StepEvent]], StepState] = MappingProxyType(
    {
        (StepState.PENDING, happened.StepEnqueued): StepState.ENQUEUED,
        (StepState.PENDING, happened.StepFailed): StepState.ERROR,
        (StepState.ENQUEUED, happened.StepStarted): StepState.IN_PROGRESS,
        (StepState.ENQUEUED, happened.StepDequeued): StepState.PENDING,
        (StepState.ENQUEUED, happened.StepFailed): StepState.ERROR,
        (StepState.IN_PROGRESS, happened.StepCheckpointed): StepState.IN_PROGRESS,
        (StepState.IN_PROGRESS, happened.StepCompleted): StepState.COMPLETE,
        (StepState.IN_PROGRESS, happened.StepAttemptFailed): StepState.WAITING_FOR_RETRY,
        (StepState.IN_PROGRESS, happened.StepReleased): StepState.WAITING_FOR_RETRY,
        (StepState.IN_PROGRESS, happened.StepTimedOut): StepState.WAITING_FOR_RETRY,
        (StepState.IN_PROGRESS, happened.StepLeaseExpired): StepState.WAITING_FOR_RETRY,
        (StepState.IN_PROGRESS, happened.StepCancelSignalled): StepState.IN_PROGRESS,
        (StepState.WAITING_FOR_RETRY, happened.StepRetryScheduled): StepState.WAITING_FOR_RETRY,
        (StepState.WAITING_FOR_RETRY, happened.StepEnqueued): StepState.ENQUEUED,
        (StepState.WAITING_FOR_RETRY, happened.StepFailed): StepState.ERROR,
        (StepState.WAITING_FOR_RETRY, happened.StepReset): StepState.PENDING,
        (StepState.ERROR, happened.StepReset): StepState.PENDING,
        (StepState.CANCELLED, happened.StepReset): StepState.PENDING,
        **_steps(STEP_RESTS, happened.StepCancelled, StepState.CANCELLED),
        **_steps(STEP_RESTS, happened.StepSkipped, StepState.SKIPPED),
        **_steps(STEP_RESTS, happened.StepResolvedManually, StepState.RESOLVED_MANUALLY),
        **_steps(STEP_RESTS, happened.StepCompletedManually, StepState.COMPLETE),
    }
)


def next_task_state(state: TaskState, event: TaskEvent) -> TaskState:
    """The state after the event. Raises IllegalTransition where the table has no such row."""
    try:
        return TASK_TRANSITIONS[state, type(event)]
    except KeyError:
        raise IllegalTransition(
            f"task {event.task_id}", state, type(event).__name__, task_events_allowed(state)
        ) from None


def next_step_state(state: StepState, event: StepEvent) -> StepState:
    """The state after the event. Raises IllegalTransition where the table has no such row."""
    try:
        return STEP_TRANSITIONS[state, type(event)]
    except KeyError:
        raise IllegalTransition(
            f"step {event.step!r} of task {event.task_id}",
            state,
            type(event).__name__,
            step_events_allowed(state),
        ) from None


def task_events_allowed(state: TaskState) -> tuple[str, ...]:
    """The names of the events that a task in the state may meet."""
    return tuple(kind.__name__ for source, kind in TASK_TRANSITIONS if source is state)


def step_events_allowed(state: StepState) -> tuple[str, ...]:
    """The names of the events that a step in the state may meet."""
    return tuple(kind.__name__ for source, kind in STEP_TRANSITIONS if source is state)
