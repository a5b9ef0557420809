"""Events of a step. Frozen, past tense; topics are names and never import paths."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from flowledger.engine.events.base import StepEvent

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
WaitReason = Literal["slot", "rate", "circuit", "template"]
"""What keeps a step that is ready from being queued: a limit, a circuit, a paused template."""


class StepEnqueued(StepEvent):
    """The step may run; `attempt` is the start that this leads to.

    Where it was ready before and had to wait, `waited_for` says for what, and `waited_since` from
    when.
    """

    topic = "step.enqueued"

    waited_for: WaitReason | None = None
    waited_since: datetime | None = None


class StepDequeued(StepEvent):
    """The step was taken out of the queue: its task or template was paused, or a circuit opened."""

    topic = "step.dequeued"


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


class StepAttemptFailed(StepEvent):
    """The handler raised, or returned what it must not."""

    topic = "step.attempt_failed"

    error: StepError


class StepReleased(StepEvent):
    """A worker gave the step back before it ended, for a reason that is not the step's own."""

    topic = "step.released"

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


class StepFailed(StepEvent):
    """The step will not be tried again."""

    topic = "step.failed"

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
