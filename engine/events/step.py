"""Everything that can happen. Frozen, past tense; topics are names and never import paths."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from flowledger.engine.events.base import Event, StepEvent, TaskEvent
from flowledger.engine.events.circuit import CIRCUITS
from flowledger.engine.events.notes import NOTES
from flowledger.engine.events.requests import ANSWERS, REQUESTS

Category = Literal[
    "permanent",
    "transient",
    "timeout",
    "network",
    "rate_limit",
    "unavailable",
    "validation",
    "configuration",
    "business",
    "unknown",
]
HoldKind = Literal["slot", "rate", "circuit", "template"]
"""What keeps a step that is ready from being queued: a limit, a circuit, a paused template."""


class TemplateRegistered(Event):
    """A definition became known. Its stream is the template's own."""

    topic = "template.registered"

    namespace: str
    template: str
    version: str
    definition_hash: str
    definition: dict[str, JsonValue]


class TemplatePaused(Event):
    """No step of any task of the template is queued until it is resumed."""

    topic = "template.paused"

    reason: str


class TemplateResumed(Event):
    """Tasks of the template go on."""

    topic = "template.resumed"

    reason: str


class TaskCreated(TaskEvent):
    """A task was submitted: this run of this definition with this context.

    `submission` is its number where an application left it in a transaction of its own; the
    coordinator appends the event then. The task is taken on at `start_at`, at once where there is
    none, and must have ended by `deadline_at`.
    """

    topic = "task.created"

    version: str
    definition_hash: str
    template_id: UUID
    context: Any = None
    identity: str | None = None
    priority: int = 0
    submission: int | None = None
    start_at: datetime | None = None
    deadline_at: datetime | None = None
    tags: tuple[str, ...] | None = None


class TaskStarted(TaskEvent):
    """The coordinator took the task on."""

    topic = "task.started"


class TaskWaiting(TaskEvent):
    """Nothing of the task is queued or runs: time must pass or room be made, until `until`."""

    topic = "task.waiting"

    until: datetime | None = None


class TaskContinued(TaskEvent):
    """What the task waited for has come."""

    topic = "task.continued"


class TaskCompleted(TaskEvent):
    """Nothing is left to do, and no step ended in error."""

    topic = "task.completed"


class TaskFailed(TaskEvent):
    """Nothing of the task can go on, and at least one step ended in error."""

    topic = "task.failed"

    failed_steps: tuple[str, ...]
    reason: str | None = None


class TaskBlocked(TaskEvent):
    """As failed, but the template says that an operator shall decide."""

    topic = "task.blocked"

    failed_steps: tuple[str, ...]


class TaskReopened(TaskEvent):
    """An operator's word gave the task something to do again."""

    topic = "task.reopened"

    reason: str | None = None


class TaskTimedOut(TaskEvent):
    """The task had not ended by its deadline."""

    topic = "task.timed_out"

    deadline_at: datetime


class TaskPaused(TaskEvent):
    """Nothing of the task starts until it is resumed."""

    topic = "task.paused"

    reason: str | None = None


class TaskResumed(TaskEvent):
    """The task goes on."""

    topic = "task.resumed"

    reason: str | None = None


class TaskCancelled(TaskEvent):
    """The task was called off, or a step was that it cannot do without."""

    topic = "task.cancelled"

    reason: str | None = None


class TaskResolvedManually(TaskEvent):
    """An operator settled the task elsewhere."""

    topic = "task.resolved_manually"

    reason: str | None = None


class StepEnqueued(StepEvent):
    """The step may run; `attempt` is the start that this leads to.

    Where it was ready before and had to wait, `held_by` says for what, and `held_since` from when.
    """

    topic = "step.enqueued"

    held_by: HoldKind | None = None
    held_since: datetime | None = None


class StepWithdrawn(StepEvent):
    """The step was taken out of the queue: its task or template was paused, or a circuit opened."""

    topic = "step.withdrawn"


class StepStarted(StepEvent):
    """A worker claimed the step and is about to run its handler."""

    topic = "step.started"

    worker: UUID


class StepCheckpointed(StepEvent):
    """The handler noted how far it is; the next attempt is given `state`, a JSON value."""

    topic = "step.checkpointed"

    state: Any = None


class StepCompleted(StepEvent):
    """The handler returned; `result` is a JSON value."""

    topic = "step.completed"

    result: Any = None


class StepError(BaseModel):
    """What went wrong in one attempt. `traceback` is bounded by the worker's configuration.

    `retry_after_seconds` is what a service asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    error_class: str
    message: str
    category: Category
    retryable: bool
    traceback: str | None = None
    retry_after_seconds: float | None = Field(default=None, ge=0)


class StepFailed(StepEvent):
    """The handler raised, or returned what it must not."""

    topic = "step.failed"

    error: StepError


class StepHandedBack(StepEvent):
    """A worker gave the step back before it ended, for a reason that is not the step's own."""

    topic = "step.handed_back"

    reason: str | None = None


class StepTimedOut(StepEvent):
    """The attempt ran longer than the template allows, in seconds."""

    topic = "step.timed_out"

    timeout_seconds: float


class StepLeaseExpired(StepEvent):
    """The worker that held the step went silent; without one, nobody held it any more."""

    topic = "step.lease_expired"

    worker: UUID | None = None


class StepRetryScheduled(StepEvent):
    """The step will be enqueued again when `due_at` has come."""

    topic = "step.retry_scheduled"

    due_at: datetime


class StepErrored(StepEvent):
    """The step will not be tried again."""

    topic = "step.errored"

    reason: Literal["permanent", "exhausted", "never", "lost_leases", "start_timeout"]
    message: str


class StepCancelSignalled(StepEvent):
    """The step runs and shall stop; what comes of it is recorded all the same."""

    topic = "step.cancel_signalled"

    reason: str | None = None


class StepCancelled(StepEvent):
    """The step will not be done, nor what depends on it."""

    topic = "step.cancelled"

    reason: str | None = None


class StepSkipped(StepEvent):
    """The task does without the step."""

    topic = "step.skipped"

    reason: str | None = None


class StepReset(StepEvent):
    """The step is as if it had never been tried."""

    topic = "step.reset"

    reason: str | None = None


class StepResolvedManually(StepEvent):
    """An operator settled the step elsewhere."""

    topic = "step.resolved_manually"

    reason: str | None = None


class StepCompletedManually(StepEvent):
    """An operator had the step done elsewhere, with this result."""

    topic = "step.completed_manually"

    reason: str | None = None
    result: Any = None


FACTS: tuple[type[Event], ...] = (
    TaskCreated,
    StepStarted,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepHandedBack,
    TemplatePaused,
    TemplateResumed,
    *REQUESTS,
)
DECISIONS: tuple[type[TaskEvent], ...] = (
    TaskStarted,
    TaskWaiting,
    TaskContinued,
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
    StepWithdrawn,
    StepTimedOut,
    StepLeaseExpired,
    StepRetryScheduled,
    StepErrored,
    StepCancelSignalled,
    StepCancelled,
    StepSkipped,
    StepReset,
    StepResolvedManually,
    StepCompletedManually,
    *ANSWERS,
)
EVENTS: MappingProxyType[str, type[Event]] = MappingProxyType(
    {event.topic: event for event in (*FACTS, *DECISIONS, *CIRCUITS, *NOTES)}
    | {TemplateRegistered.topic: TemplateRegistered}
)
FACT_TOPICS = tuple(sorted(event.topic for event in FACTS))
DECISION_TOPICS = tuple(sorted(event.topic for event in DECISIONS))
