"""The two aggregates, each the fold of one stream over its transition table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

from flowledger.engine.domain.events import (
    StepEvent,
    StepFailed,
    StepLeaseExpired,
    StepStarted,
    StepTimedOut,
    TaskEvent,
)
from flowledger.engine.domain.states import (
    StepState,
    TaskState,
    next_step_state,
    next_task_state,
)


class Task(NamedTuple):
    """A task's own stream: its state, and the version that the next event must follow."""

    state: TaskState = TaskState.SUBMITTED
    version: int = 0


class Step(NamedTuple):
    """A step's stream. `attempt` counts starts, `failures` what counts against the retry policy."""

    state: StepState = StepState.PENDING
    version: int = 0
    attempt: int = 0
    failures: int = 0
    lost: int = 0


NEW_TASK = Task()
NEW_STEP = Step()


def evolve_task(task: Task, event: TaskEvent) -> Task:
    """The task after the event. Raises IllegalTransition."""
    return Task(next_task_state(task.state, event), event.originator_version)


def evolve_step(step: Step, event: StepEvent) -> Step:
    """The step after the event. Raises IllegalTransition."""
    return Step(
        next_step_state(step.state, event),
        event.originator_version,
        event.attempt if isinstance(event, StepStarted) else step.attempt,
        step.failures + isinstance(event, (StepFailed, StepTimedOut)),
        step.lost + isinstance(event, StepLeaseExpired),
    )


def fold_task(events: Iterable[TaskEvent], task: Task = NEW_TASK) -> Task:
    """The task after all its events."""
    return reduce(evolve_task, events, task)


def fold_step(events: Iterable[StepEvent], step: Step = NEW_STEP) -> Step:
    """The step after all its events."""
    return reduce(evolve_step, events, step)
