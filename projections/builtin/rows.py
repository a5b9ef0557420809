"""Rows between the built-in read models and their tables: many at once, as JSON on their way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, LiteralString

import orjson

from flowledger.projections.cursor import Cursor

Row = dict[str, Any]

MICROSECOND = timedelta(microseconds=1)


def store(cursor: Cursor, statement: LiteralString, rows: Iterable[Mapping[str, Any]]) -> None:
    """Execute a statement whose one parameter is all the rows as JSON; nothing where none are."""
    given = list(rows)
    if given:
        cursor.execute(statement, (orjson.dumps(given, default=_interval).decode(),))


def found(cursor: Cursor, query: LiteralString, parameters: Sequence[Any]) -> list[Row]:
    """The rows that a query returns, by the names of their columns."""
    rows = cursor.execute(query, parameters).fetchall()  # only then its columns are known
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _interval(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value // MICROSECOND} microseconds"
    raise TypeError(f"{type(value).__name__} is not JSON")
