"""Events of notes that people attach to a task: annotations and tags.

They change nothing, and nothing is decided from them: so they are neither facts nor decisions, no
coordinator reads them, and folding a task passes over them. Each is a stream of its own, as a
request is, so that it never takes the place of anything else, and lies in the task's range of the
log, so that the task's history shows it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from flowledger.engine.events.base import Event


class TaskNote(Event):
    """Somebody noted something about a task. `actor` says who, `reason` perhaps why."""

    actor: str = Field(min_length=1)  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    task_id: UUID
    namespace: str
    template: str
    reason: str | None = None


class TaskAnnotated(TaskNote):
    """Somebody attached a JSON value to the task, of a kind that they named."""

    topic = "task.annotated"

    kind: str
    value: Any = None


class TaskTagged(TaskNote):
    """The task has these tags from now on, beside those that it had."""

    topic = "task.tagged"

    tags: tuple[str, ...]


class TaskUntagged(TaskNote):
    """The task has these tags no longer."""

    topic = "task.untagged"

    tags: tuple[str, ...]


class TaskRepaired(TaskNote):
    """Rows of the task were made again from the log, for somebody.

    `changes` says what differed, of the first; `more` counts those that are not named.
    """

    topic = "task.repaired"

    changes: tuple[str, ...]
    more: int = 0


NOTES: tuple[type[TaskNote], ...] = (TaskAnnotated, TaskTagged, TaskUntagged, TaskRepaired)
