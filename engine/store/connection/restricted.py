"""Connections lent to transactional handlers, which refuse statements that end the transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.abc import Params, Query
from psycopg.rows import TupleRow

from flowledger.engine.errors import TransactionEnded

SPACE = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
ENDS = re.compile(
    rf"{SPACE}*(?:abort|begin|commit|end|prepare{SPACE}+transaction|start{SPACE}+transaction"
    rf"|rollback(?!{SPACE}+(?:(?:work|transaction){SPACE}+)?to\b))\b",
    re.IGNORECASE | re.DOTALL,
)

PREPARE_THRESHOLD, PREPARED_MAX = 5, 100
"""As psycopg has them: from which use on a statement is prepared, and how many are."""


class LentCursor(psycopg.Cursor[Any]):
    """A handler's cursor: everything but the end of the transaction, and only within the step."""

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self._lending = connection.lending

    def _start_query(self, query: Query | None = None) -> Any:
        if self._lending is not getattr(self._conn, "lending", None):
            raise psycopg.InterfaceError("the step that this cursor was lent to has ended")
        return super()._start_query(query)

    def execute(
        self,
        query: Any,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """As psycopg's. Raises TransactionEnded for a statement that would end the transaction."""
        refuse_end(self.connection, query)
        return super().execute(query, params, prepare=prepare, binary=binary)

    def executemany(
        self, query: Query, params_seq: Iterable[Params], *, returning: bool = False
    ) -> None:
        """As psycopg's. Raises TransactionEnded for a statement that would end the transaction."""
        refuse_end(self.connection, query)
        super().executemany(query, params_seq, returning=returning)


class LentConnection(psycopg.Connection[TupleRow]):
    """A connection that a handler cannot end the transaction of, while `lent_to` names its step."""

    lent_to: str | None = None
    lending: object = None
    _untouched: Mapping[str, Any] = MappingProxyType({})

    def lend(self, step: str | None) -> None:
        """From now on it is lent to the step; to nobody where there is none.

        What the last one set on it (factories, adapters, handlers, thresholds) is as it was first.
        """
        if not self._untouched:
            self._untouched = MappingProxyType(vars(self).copy())
        untouched = self._untouched
        vars(self).clear()
        vars(self).update(untouched, _untouched=untouched, lent_to=step, lending=object())
        self._adapters = None
        self._notice_handlers.clear()
        self._notify_handlers.clear()
        if self._notifies_backlog is not None:
            self._notifies_backlog.clear()
        self._prepared.prepare_threshold = PREPARE_THRESHOLD
        self._prepared.prepared_max = PREPARED_MAX

    def commit(self) -> None:
        """As psycopg's. Raises TransactionEnded while it is lent."""
        refuse_end(self, b"commit")
        super().commit()

    def rollback(self) -> None:
        """As psycopg's. Raises TransactionEnded while it is lent."""
        refuse_end(self, b"rollback")
        super().rollback()


def refuse_end(connection: object, query: object) -> None:
    """Raise TransactionEnded where the connection is lent and the statement ends transactions."""
    if not isinstance(connection, LentConnection) or connection.lent_to is None:
        return
    if ENDS.match(words_of(query, connection)):
        raise TransactionEnded(connection.lent_to)


def words_of(query: object, connection: LentConnection) -> str:
    """The text of a statement in whichever form psycopg takes it."""
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return query if isinstance(query, str) else sql.as_string(query, connection)
