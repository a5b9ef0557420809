"""Which tasks and steps a batch of events concerns, and what is stored of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.step import TaskCreated
from flowledger.engine.ports.coordinator import Recorded
from flowledger.engine.store.connection.arrays import TextArray, UuidArray
from flowledger.projections.cursor import Cursor

K = TypeVar("K")
Key = tuple[int, str]
"""A step by the number that its task's id is: to hash and to compare ids took most of the time."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """The ids of a batch's tasks, and those tasks and steps of it that do not begin in it."""

    ids: dict[int, UUID]
    tasks: list[int]
    steps: list[Key]

    def found(
        self, cursor: Cursor, tasks: LiteralString, steps: LiteralString
    ) -> tuple[dict[int, tuple[Any, ...]], dict[Key, tuple[Any, ...]]]:
        """What is stored of them, by queries that get what they look for in arrays.

        `tasks` gets ids, `steps` gets ids and names; the first column of their rows is the place in
        these, from 1, and what follows it is returned. Both are sent before an answer is awaited.
        """
        with cursor.connection.cursor() as beside:
            if self.tasks:
                ids = UuidArray([self.ids[task] for task in self.tasks])
                cursor.execute(tasks, (ids,), binary=True)
            if self.steps:
                ids = UuidArray([self.ids[task] for task, _ in self.steps])
                names = TextArray([step for _, step in self.steps])
                beside.execute(steps, (ids, names), binary=True)
            return (
                _placed(self.tasks, cursor.fetchall()) if self.tasks else {},
                _placed(self.steps, beside.fetchall()) if self.steps else {},
            )


def _placed(keys: Sequence[K], rows: Iterable[tuple[Any, ...]]) -> dict[K, tuple[Any, ...]]:
    return {keys[row[0] - 1]: row[1:] for row in rows}


def concerned(events: Iterable[Recorded], begins: Callable[[StepEvent], bool]) -> Concerned:
    """What the events concern. A step of whose first event `begins` is true has no row yet."""
    created: set[int] = set()
    ids: dict[int, UUID] = {}
    steps: dict[Key, bool] = {}
    for _, _, event in events:
        if isinstance(event, StepEvent):
            task_id = event.task_id
            key = task_id.int, event.step
            if key not in steps:
                steps[key] = begins(event)
                ids[key[0]] = task_id
        elif isinstance(event, TaskEvent):
            ids[event.task_id.int] = event.task_id
            if isinstance(event, TaskCreated):
                created.add(event.task_id.int)
    return Concerned(
        ids,
        [task for task in ids if task not in created],
        [step for step, begun in steps.items() if not begun],
    )
