"""The two aggregates, task and step: each folds one stream by its transition table."""

from __future__ import annotations

from typing import NamedTuple

from flowledger.engine.domain.machine.transitions import (
    StepState,
    TaskState,
    next_step_state,
    next_task_state,
)
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelSignalled,
    StepCheckpointed,
    StepLeaseExpired,
    StepReleased,
    StepReset,
    StepStarted,
    StepTimedOut,
)
from flowledger.engine.events.task import TaskPaused, TaskResumed


class Task(NamedTuple):
    """A task's own stream: its state, and the version that the next event must follow."""

    state: TaskState = TaskState.SUBMITTED
    version: int = 0
    paused: bool = False


class Step(NamedTuple):
    """A step's stream. `attempt` counts starts, `failures` what counts against the retry policy.

    An operator's reset begins both anew, and counts in `resets`. `cancelling`: it runs, and shall
    stop. `returned` is how often in a row it was released, with neither a failure nor a
    checkpoint in between.
    """

    state: StepState = StepState.PENDING
    version: int = 0
    attempt: int = 0
    failures: int = 0
    lost: int = 0
    resets: int = 0
    cancelling: bool = False
    returned: int = 0


NEW_TASK = Task()
NEW_STEP = Step()
COUNTED = frozenset(
    {
        StepStarted,
        StepCheckpointed,
        StepAttemptFailed,
        StepReleased,
        StepTimedOut,
        StepLeaseExpired,
        StepCancelSignalled,
        StepReset,
    }
)
"""Events that change more of a step than its state."""


def evolve_task(task: Task, event: TaskEvent) -> Task:
    """The task after the event. Raises IllegalTransition."""
    paused = isinstance(event, TaskPaused) or (task.paused and not isinstance(event, TaskResumed))
    return Task(next_task_state(task.state, event), event.originator_version, paused)


def evolve_step(step: Step, event: StepEvent) -> Step:
    """The step after the event. Raises IllegalTransition."""
    state = next_step_state(step.state, event)
    if type(event) in COUNTED:
        step = _counted(step, event)
    return Step(
        state,
        event.originator_version,
        step.attempt,
        step.failures,
        step.lost,
        step.resets,
        step.cancelling,
        step.returned,
    )


def _counted(step: Step, event: StepEvent) -> Step:
    match event:
        case StepStarted():
            return step._replace(attempt=event.attempt)
        case StepAttemptFailed() | StepTimedOut():
            return step._replace(failures=step.failures + 1, returned=0)
        case StepReleased() | StepCheckpointed():
            returned = step.returned + 1 if isinstance(event, StepReleased) else 0
            return step._replace(returned=returned)
        case StepLeaseExpired():
            return step._replace(lost=step.lost + 1)
        case StepCancelSignalled():
            return step._replace(cancelling=True)
        case _:
            return Step(resets=step.resets + 1)
