"""The registry of events: by topic and by who writes them, with upcasts of old shapes.

The log is never rewritten. A change of an event's fields raises its `current_version` and adds one
row to `UPCASTS`, from the version before; upcasts run one after the other until the payload has
today's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from flowledger.engine.events.base import Event, TaskEvent
from flowledger.engine.events.circuit import CIRCUITS
from flowledger.engine.events.engine_actions import ENGINE_EVENTS
from flowledger.engine.events.notes import NOTES
from flowledger.engine.events.requests import ANSWERS, REQUESTS
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepCancelSignalled,
    StepCheckpointed,
    StepCompleted,
    StepCompletedManually,
    StepDequeued,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepReleased,
    StepReset,
    StepResolvedManually,
    StepRetryScheduled,
    StepSkipped,
    StepStarted,
    StepTimedOut,
)
from flowledger.engine.events.task import (
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskPaused,
    TaskReopened,
    TaskResolvedManually,
    TaskResumed,
    TaskStarted,
    TaskTimedOut,
    TaskWaitEnded,
    TaskWaiting,
)
from flowledger.engine.events.template import TemplatePaused, TemplateRegistered, TemplateResumed

FACTS: tuple[type[Event], ...] = (
    TaskCreated,
    StepStarted,
    StepCheckpointed,
    StepCompleted,
    StepAttemptFailed,
    StepReleased,
    TemplatePaused,
    TemplateResumed,
    *REQUESTS,
)
DECISIONS: tuple[type[TaskEvent], ...] = (
    TaskStarted,
    TaskWaiting,
    TaskWaitEnded,
    TaskCompleted,
    TaskFailed,
    TaskBlocked,
    TaskReopened,
    TaskTimedOut,
    TaskPaused,
    TaskResumed,
    TaskCancelled,
    TaskResolvedManually,
    StepEnqueued,
    StepDequeued,
    StepTimedOut,
    StepLeaseExpired,
    StepRetryScheduled,
    StepFailed,
    StepCancelSignalled,
    StepCancelled,
    StepSkipped,
    StepReset,
    StepResolvedManually,
    StepCompletedManually,
    *ANSWERS,
)
EVENTS: MappingProxyType[str, type[Event]] = MappingProxyType(
    {event.topic: event for event in (*FACTS, *DECISIONS, *CIRCUITS, *NOTES, *ENGINE_EVENTS)}
    | {TemplateRegistered.topic: TemplateRegistered}
)
FACT_TOPICS = tuple(sorted(event.topic for event in FACTS))
DECISION_TOPICS = tuple(sorted(event.topic for event in DECISIONS))

Fields = dict[str, Any]
Upcast = Callable[[Fields], Fields]

UPCASTS: Mapping[tuple[str, int], Upcast] = MappingProxyType({})


def upcast(
    topic: str, fields: Fields, upcasts: Mapping[tuple[str, int], Upcast] = UPCASTS
) -> Fields:
    """The fields in today's shape. Raises ValueError for a version that this code does not know."""
    current = EVENTS[topic].current_version
    version = fields.get("schema_version", 1)
    while version < current and (topic, version) in upcasts:
        fields = upcasts[topic, version](dict(fields))
        version += 1
        fields["schema_version"] = version
    if version != current:
        raise ValueError(f"schema version {version} of {topic} is not known; {current} is")
    return fields
