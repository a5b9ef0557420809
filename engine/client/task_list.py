"""Tasks by what they are: a page after the other, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from flowledger.engine.client.submission_to_event import check_options
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.domain.task_query import cursor_to, limit_of, place_of, query_of
from flowledger.engine.ports.task_list import ListedTask, TaskList


class TaskFilter(TypedDict, total=False):
    """What tasks must all be to be listed; None, and what is left out, is any.

    `template` is the name of a template of the `namespace`, and `version` one of its versions.
    `states` are those that a task may be in, `tags` those that it must have, all of them.
    `created_after` counts from that time on, `created_before` not. `paused` and `parked` say
    whether an operator paused it, and whether a coordinator leaves it alone.
    """

    namespace: str | None
    template: str | None
    version: str | None
    states: Iterable[TaskState | str] | None
    tags: Iterable[str] | None
    correlation_id: str | None
    created_after: datetime | None
    created_before: datetime | None
    paused: bool | None
    parked: bool | None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some tasks, the newest first. `next` is where those behind begin; None: there are none.

    The tasks are as they stand. Their tags are from the read model `flowledger_notes`, which had
    read the log up to `tags_as_of_position`, and all that was recorded until `tags_as_of`; None
    where it has read nothing, so that no tag is known.

    `unreadable` are tasks of this page that are left out, since their rows say no state:
    `flowledger repair` makes these anew from the log.
    """

    tasks: tuple[ListedTask, ...]
    next: str | None
    tags_as_of: datetime | None = None
    tags_as_of_position: int | None = None
    unreadable: tuple[UUID, ...] = ()

    def __iter__(self) -> Iterator[ListedTask]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)


def list_tasks(stored: TaskList, limit: object, after: object, filters: TaskFilter) -> TaskPage:
    """A page of the tasks. Raises InvalidRequest, and TypeError for a filter that there is not."""
    check_options("tasks", filters, TaskFilter)
    query, most, begin = query_of(filters), limit_of(limit), place_of(after)
    found = stored.tasks(query, most + 1, begin)
    listed = sorted([*(task.id for task in found.tasks), *found.unreadable], reverse=True)
    last = listed[:most][-1] if listed else None
    return TaskPage(
        tuple(task for task in found.tasks if last is not None and task.id >= last),
        None if last is None or len(listed) <= most else cursor_to(last),
        *(found.tags_as_of, found.tags_as_of_position),
        tuple(task for task in found.unreadable if last is not None and task >= last),
    )
