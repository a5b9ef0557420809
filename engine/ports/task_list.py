"""What lists tasks, and a task as it is listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.domain.task_query import TaskQuery


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A task as the database knew it when it was listed.

    `parked`: a coordinator leaves it alone. The template's names are None where the task is only
    submitted and its first event is encrypted or cannot be read. `tags` are those that the read
    model `flowledger_notes` has, which follows the log.
    """

    id: UUID
    namespace: str | None
    template: str | None
    version: str | None
    state: TaskState
    paused: bool
    parked: bool
    correlation_id: str
    tags: tuple[str, ...]
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """Tasks, and how far the read model that has their tags knew the log, and up to when.

    `unreadable` are those among them whose rows say no state, and that are left out.
    """

    tasks: Sequence[ListedTask]
    unreadable: Sequence[UUID]
    tags_as_of: datetime | None
    tags_as_of_position: int | None


class TaskList(Protocol):
    """Lists tasks, the newest first."""

    def tasks(self, query: TaskQuery, limit: int, after: UUID | None) -> Listing:
        """At most so many tasks that are all of what is asked for, behind one."""
        ...
