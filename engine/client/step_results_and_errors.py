"""Outcomes of a task and of its steps, from its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flowledger.engine import events as happened
from flowledger.engine.display_text import on_one_line
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.event_text import actor_name, describe
from flowledger.engine.events.base import Recorded, StepEvent
from flowledger.engine.events.notes import TaskAnnotated, TaskTagged, TaskUntagged
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepCompleted,
    StepCompletedManually,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepReset,
    StepTimedOut,
)
from flowledger.engine.events.task import TaskCancelled, TaskReopened, TaskTimedOut
from flowledger.engine.events.unreadable import UnreadableEvent, unreadable_in

COMPLETIONS = (StepCompleted, StepCompletedManually)
NOTES = frozenset(kind.topic for kind in (TaskAnnotated, TaskTagged, TaskUntagged))


def failures_in(history: Sequence[Recorded]) -> dict[str, str]:
    """What each step failed of last, or why it was given up."""
    failures: dict[str, str] = {}
    for recorded in history:
        match recorded.event:
            case StepFailed() as event:
                failures[event.step] = event.message
            case StepAttemptFailed() as event:
                failures[event.step] = f"{event.error.error_class}: {event.error.message}"
            case StepTimedOut() | StepLeaseExpired() as event:
                failures[event.step] = describe(event)
            case _:
                pass
    return failures


def results_in(history: Sequence[Recorded]) -> dict[str, Any]:
    """The results of the completed steps."""
    events = (recorded.event for recorded in history)
    return {event.step: event.result for event in events if isinstance(event, COMPLETIONS)}


def unreadable_outcomes_in(history: Sequence[Recorded]) -> list[str]:
    """What is said of the events that cannot be read and may be outcomes; notes are none."""
    return unreadable_in(
        one
        for one in history
        if isinstance(one.event, UnreadableEvent) and one.event.stored_topic not in NOTES
    )


def unreadable_of_step(history: Sequence[Recorded], task_id: UUID, step: str) -> list[str]:
    """What is said of the events of the step that cannot be read."""
    stream = step_id(task_id, step)
    return unreadable_in(one for one in history if one.event.originator_id == stream)


def errors_in(history: Sequence[Recorded]) -> dict[str, str]:
    """Why the steps that stand in error do so."""
    errors: dict[str, str] = {}
    for recorded in history:
        match recorded.event:
            case StepFailed() as event:
                errors[event.step] = event.message
            case StepEvent() as event:
                errors.pop(event.step, None)
            case _:
                pass
    return errors


def error_facts_in(history: Sequence[Recorded]) -> dict[str, dict[str, str | None]]:
    """The class and the message of the error of each step that stands in error.

    The class is None where no exception ended the last attempt, as where it ran too long; the
    message is why the step was given up then.
    """
    raised: dict[str, dict[str, str | None]] = {}
    for recorded in history:
        match recorded.event:
            case StepAttemptFailed() as event:
                error = event.error
                raised[event.step] = {"error_class": error.error_class, "message": error.message}
            case StepEnqueued() | StepReset() as event:
                raised.pop(event.step, None)
            case _:
                pass
    return {
        step: raised.get(step, {"error_class": None, "message": why})
        for step, why in errors_in(history).items()
    }


def cause_in(history: Sequence[Recorded]) -> str | None:
    """What ended the task where that was no step's error: in words."""
    for recorded in reversed(history):
        match recorded.event:
            case TaskTimedOut() as event:
                return f"it had not ended by its deadline {event.deadline_at.isoformat()}"
            case TaskCancelled(actor=str() as actor) as event:
                return f"cancelled by {actor_name(actor)}: {on_one_line(event.reason or '')}"
            case TaskCancelled():
                cancelled = ", ".join(_cancelled_steps(history))
                return f"these steps were cancelled: {cancelled}"
            case happened.TaskFailed() | TaskReopened():
                return None
            case _:
                pass
    return None


def _cancelled_steps(history: Sequence[Recorded]) -> list[str]:
    last = {one.event.step: one.event for one in history if isinstance(one.event, StepEvent)}
    return [step for step, event in last.items() if isinstance(event, StepCancelled)]
