"""Events in the words that people read: what happened, and who says so."""

from __future__ import annotations

import json
from typing import Any

from flowledger.engine.domain.events import (
    DECISIONS,
    Event,
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
    TaskFailed,
    TaskStarted,
)

LONGEST = 60


def stream_of(event: Event) -> str:
    """The stream as people know it: the step's name, or `task`."""
    return event.step if isinstance(event, StepEvent) else "task"


def what_happened(event: Event) -> str:
    """One short sentence."""
    match event:
        case TaskCreated():
            return f"submitted with {clipped(event.context)}"
        case TaskStarted():
            return "taken on"
        case TaskCompleted():
            return "complete"
        case TaskFailed():
            return f"failed, as these ended in error: {', '.join(event.failed_steps)}"
        case StepEvent():
            return _step_event(event)
        case _:
            return type(event).__name__


def who(event: Event) -> str:
    """The actor where one is recorded, else the part of the engine that writes such events."""
    if event.actor is not None:
        return event.actor
    if isinstance(event, StepStarted):
        return f"worker {str(event.worker)[-6:]}"
    if isinstance(event, TaskCreated):
        return "application"
    return "coordinator" if isinstance(event, DECISIONS) else "worker"


def clipped(value: Any) -> str:
    """A JSON value on one line, cut where it is long."""
    return _short(json.dumps(value, ensure_ascii=False))


def _step_event(event: StepEvent) -> str:
    match event:
        case StepEnqueued():
            return f"queued for attempt {event.attempt}"
        case StepStarted():
            return f"attempt {event.attempt} started"
        case StepCompleted():
            return f"completed with {clipped(event.result)}"
        case StepRetryScheduled():
            seconds = (event.due_at - event.occurred_at).total_seconds()
            return f"next attempt in {seconds:.3g} s"
        case _:
            return _ended_without_result(event)


def _ended_without_result(event: StepEvent) -> str:
    match event:
        case StepFailed():
            return _short(
                f"attempt {event.attempt} failed: {event.error.error_class}: {event.error.message}"
            )
        case StepHandedBack():
            return "handed back by a worker that stops"
        case StepTimedOut():
            return f"attempt {event.attempt} ran longer than {event.timeout_seconds:g} s"
        case StepLeaseExpired():
            return "lost: its worker went silent"
        case StepErrored():
            return _short(f"given up ({event.reason}): {event.message}")
        case _:
            return type(event).__name__


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
