"""Verifies that a decision agrees with its cause: actor, reason and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.requests import (
    ANSWERS,
    StepCompleteRequested,
    StepRequest,
    TaskRequest,
)
from flowledger.engine.events.step import (
    StepCompletedManually,
    StepFailed,
    StepReset,
    StepResolvedManually,
)
from flowledger.engine.events.task import (
    TaskBlocked,
    TaskFailed,
    TaskPaused,
    TaskResolvedManually,
    TaskResumed,
)

BY_REQUEST: tuple[type[TaskEvent], ...] = (
    TaskPaused,
    TaskResumed,
    TaskResolvedManually,
    StepReset,
    StepResolvedManually,
    StepCompletedManually,
    *ANSWERS,
)
"""What happens only where somebody asked for it."""

Strange = tuple[str, Any, Any]
"""A field, what it should be, and what it is."""


def against_its_cause(
    event: TaskEvent, known: Mapping[UUID, TaskEvent], run: TaskRun
) -> Iterator[Strange]:
    """Where the decision differs from what its cause says, or from where the steps stood."""
    cause = None if event.causation_id is None else known.get(event.causation_id)
    if cause is None:
        yield "causation_id", "that of an event of the task", event.causation_id
    elif isinstance(cause, TaskRequest):
        yield from _as_asked(event, cause)
    elif event.actor is not None:
        yield "actor", None, event.actor
    if isinstance(event, (TaskFailed, TaskBlocked)) and event.failed_steps != run.failed_steps():
        yield "failed_steps", list(run.failed_steps()), list(event.failed_steps)


def _as_asked(event: TaskEvent, request: TaskRequest) -> Iterator[Strange]:
    """What follows later in the same round is the engine's own, and names nobody."""
    asked = event.actor is not None or isinstance(event, BY_REQUEST)
    if asked and event.actor != request.actor:
        yield "actor", request.actor, event.actor
    why = request.reason if asked else None
    if not isinstance(event, StepFailed) and getattr(event, "reason", why) != why:
        yield "reason", why, getattr(event, "reason", None)
    if isinstance(event, StepCompletedManually):
        yield from _as_completed(event, request)


def _as_completed(event: StepCompletedManually, request: TaskRequest) -> Iterator[Strange]:
    if isinstance(request, StepCompleteRequested) and event.result != request.result:
        yield "result", request.result, event.result
    if isinstance(request, StepRequest) and event.step != request.step:
        yield "step", request.step, event.step
