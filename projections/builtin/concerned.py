"""Which tasks and steps a batch of events concerns, and what is stored of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from flowledger.engine.domain.event import StepEvent, TaskEvent
from flowledger.engine.domain.events import TaskCreated
from flowledger.engine.ports import Recorded
from flowledger.engine.store.arrays import TextArray, UuidArray
from flowledger.projections.builtin.rows import Row, found
from flowledger.projections.cursor import Cursor

Key = tuple[int, str]
"""A step by the number that its task's id is: to hash and to compare ids took most of the time."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """Those tasks and steps of a batch that do not begin in it."""

    tasks: list[UUID]
    steps: list[tuple[UUID, str]]

    def found_tasks(self, cursor: Cursor, query: LiteralString) -> dict[int, Row]:
        """The rows of the tasks that a query returns for their ids."""
        rows = found(cursor, query, (UuidArray(self.tasks),)) if self.tasks else ()
        return {row["task_id"].int: row for row in rows}

    def found_steps(self, cursor: Cursor, query: LiteralString) -> dict[Key, Row]:
        """The rows of the steps that a query returns for their tasks' ids and their names."""
        if not self.steps:
            return {}
        tasks, steps = zip(*self.steps, strict=True)
        rows = found(cursor, query, (UuidArray(tasks), TextArray(steps)))
        return {(row["task_id"].int, row["step"]): row for row in rows}


def concerned(events: Iterable[Recorded], begins: Callable[[StepEvent], bool]) -> Concerned:
    """What the events concern. A step of whose first event `begins` is true has no row yet."""
    created: set[int] = set()
    tasks: dict[int, UUID] = {}
    steps: dict[Key, tuple[UUID, str] | None] = {}
    for _, _, event in events:
        if isinstance(event, StepEvent):
            key = event.task_id.int, event.step
            if key not in steps:
                steps[key] = None if begins(event) else (event.task_id, event.step)
                tasks[key[0]] = event.task_id
        elif isinstance(event, TaskEvent):
            tasks[event.task_id.int] = event.task_id
            if isinstance(event, TaskCreated):
                created.add(event.task_id.int)
    return Concerned(
        [tasks[task] for task in tasks.keys() - created],
        [step for step in steps.values() if step is not None],
    )
