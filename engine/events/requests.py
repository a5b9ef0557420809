"""Events of operators' requests. Each is a stream of its own, with its answer.

A request changes nothing: the coordinator decides what follows, in log order with everything else,
so that an operator never races a worker. The stream's id comes from the task and a key, so asking
twice with one key is asking once, and the request lies in the task's range of the log.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from flowledger.engine.events.base import TaskEvent


class TaskRequest(TaskEvent):
    """Somebody asks for something about a task. `reason` says why, `actor` who."""

    actor: str = Field(min_length=1)  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    reason: str = Field(min_length=1)


class TaskCancelRequested(TaskRequest):
    """The task and all its steps shall end."""

    topic = "task.cancel_requested"


class TaskPauseRequested(TaskRequest):
    """Nothing of the task shall start until it is resumed."""

    topic = "task.pause_requested"


class TaskResumeRequested(TaskRequest):
    """The task shall go on."""

    topic = "task.resume_requested"


class TaskResolveRequested(TaskRequest):
    """The task was settled elsewhere, and shall count as done."""

    topic = "task.resolve_requested"


class TaskResetRequested(TaskRequest):
    """Every step of the task that ended in error shall be tried anew."""

    topic = "task.reset_requested"


class TaskFailRequested(TaskRequest):
    """A task that waits for an operator shall end in error."""

    topic = "task.fail_requested"


class StepRequest(TaskRequest):
    """Somebody asks for something about a step."""

    step: str


class StepCancelRequested(StepRequest):
    """The step shall not be done, nor what depends on it."""

    topic = "step.cancel_requested"


class StepResetRequested(StepRequest):
    """The step shall be tried anew, as if it had never been."""

    topic = "step.reset_requested"


class StepResolveRequested(StepRequest):
    """The step was settled elsewhere: what depends on it may go on, without a result of it."""

    topic = "step.resolve_requested"


class StepCompleteRequested(StepRequest):
    """The step was done elsewhere, with this result."""

    topic = "step.complete_requested"

    result: Any = None


class StepSkipRequested(StepRequest):
    """The task shall do without the step."""

    topic = "step.skip_requested"


class RequestGranted(TaskEvent):
    """What was asked for happened, in the transaction that stored this.

    `message` says what that does not let happen yet, where there is such a thing.
    """

    topic = "request.granted"

    request: UUID
    message: str | None = None


class RequestRefused(TaskEvent):
    """What was asked for cannot be; `message` says why and what could."""

    topic = "request.refused"

    request: UUID
    message: str


REQUESTS: tuple[type[TaskRequest], ...] = (
    TaskCancelRequested,
    TaskPauseRequested,
    TaskResumeRequested,
    TaskResolveRequested,
    TaskResetRequested,
    TaskFailRequested,
    StepCancelRequested,
    StepResetRequested,
    StepResolveRequested,
    StepCompleteRequested,
    StepSkipRequested,
)
ANSWERS: tuple[type[TaskEvent], ...] = (RequestGranted, RequestRefused)
