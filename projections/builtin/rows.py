"""Rows between the built-in read models and their tables: many at once, as JSON on their way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, LiteralString

import orjson

from flowledger.projections.cursor import Cursor

Row = dict[str, Any]

MICROSECOND = timedelta(microseconds=1)


def store(cursor: Cursor, statement: LiteralString, *rows: Iterable[Mapping[str, Any]]) -> None:
    """Execute a statement with each of these groups of rows as JSON; nothing where none has any."""
    groups = [list(group) for group in rows]
    if any(groups):
        given = [orjson.dumps(group, default=_interval).decode() for group in groups]
        cursor.execute(statement, given)


def found(cursor: Cursor, query: LiteralString, parameters: Sequence[Any]) -> list[Row]:
    """The rows that a query returns, by the names of their columns."""
    rows = cursor.execute(query, parameters, binary=True).fetchall()
    # Only now the columns are known: in a pipeline the answer is awaited by the line above.
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _interval(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value // MICROSECOND} microseconds"
    raise TypeError(f"{type(value).__name__} is not JSON")
