"""Events of a task."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flowledger.engine.events.base import TaskEvent


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
    """The coordinator took the task on.

    `turn_since` is there where the task began before older ones of its template, since it was the
    turn of its fairness key: when the oldest of them was submitted. Its steps are queued as theirs.
    """

    topic = "task.started"

    turn_since: datetime | None = None


class TaskWaiting(TaskEvent):
    """Nothing of the task is queued or runs: time must pass or room be made, until `until`."""

    topic = "task.waiting"

    until: datetime | None = None


class TaskWaitEnded(TaskEvent):
    """What the task waited for has come."""

    topic = "task.wait_ended"


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
