"""Helpers of read models: which rows a batch of events concerns, and reading and writing them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import orjson

from flowledger.engine.events.base import Recorded, StepEvent, TaskEvent
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.store.connection.arrays import TextArray, UuidArray
from flowledger.projections.restricted_cursor import Cursor

VERSION = re.compile(r"-- version: (\d+)\n")

Row = dict[str, Any]

MICROSECOND = timedelta(microseconds=1)

K = TypeVar("K")
Key = tuple[int, str]
"""A step by the number that its task's id is: to hash and to compare ids took most of the time."""


def tables_of(name: str) -> tuple[int, str]:
    """The version of a read model's tables, and the SQL that makes them in `{schema}`.

    Raises ValueError where the file does not begin with its version.
    """
    file = resources.files("flowledger.sql").joinpath(f"projections/{name}.sql")
    text = file.read_bytes().replace(b"\r\n", b"\n").decode()
    version = VERSION.match(text)
    if version is None:
        raise ValueError(f"{name}.sql should begin with `-- version: 1`")
    return int(version[1]), text


def store(cursor: Cursor, statement: LiteralString, *rows: Iterable[Mapping[str, Any]]) -> None:
    """Execute a statement with each of these groups of rows as JSON; nothing where none has any."""
    groups = [list(group) for group in rows]
    if any(groups):
        given = [orjson.dumps(group, default=_interval).decode() for group in groups]
        cursor.execute(statement, given)


def fetch_rows(cursor: Cursor, query: LiteralString, parameters: Sequence[Any]) -> list[Row]:
    """The rows that a query returns, by the names of their columns."""
    rows = cursor.execute(query, parameters, binary=True).fetchall()
    # Only now the columns are known: in a pipeline the answer is awaited by the line above.
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _interval(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value // MICROSECOND} microseconds"
    raise TypeError(f"{type(value).__name__} is not JSON")


@dataclass(frozen=True, slots=True)
class ReferencedRows:
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


def referenced_rows(
    events: Iterable[Recorded], begins: Callable[[StepEvent], bool]
) -> ReferencedRows:
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
    return ReferencedRows(
        ids,
        [task for task in ids if task not in created],
        [step for step, begun in steps.items() if not begun],
    )
