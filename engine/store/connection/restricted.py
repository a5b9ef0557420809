"""Connections that are lent to code of users, and refuse statements that are not for it.

Here are those of transactional handlers; those of projections refuse more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import Params, Query

from flowledger.engine.errors import TransactionEnded
from flowledger.engine.store.connection.session import Session

Row = TypeVar("Row")
SPACE = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
ENDS = re.compile(
    rf"{SPACE}*(?:abort|begin|commit|end|prepare{SPACE}+transaction|start{SPACE}+transaction"
    rf"|rollback(?!{SPACE}+(?:(?:work|transaction){SPACE}+)?to\b))\b",
    re.IGNORECASE | re.DOTALL,
)

PREPARE_THRESHOLD, PREPARED_MAX = 5, 100
"""As psycopg has them: from which use on a statement is prepared, and how many are."""


class RestrictedConnection(Session):
    """A connection that refuses some statements while `lent_to` names who has it."""

    lent_to: str | None = None

    def refusal(self, words: str, lent_to: str) -> Exception | None:
        """What such a statement raises; None for one that may be executed."""
        raise NotImplementedError

    def refuse(self, query: object) -> None:
        """Raise for a statement that is not for whom it is lent to."""
        if self.lent_to is None:
            return
        refusal = self.refusal(words_of(query, self), self.lent_to)
        if refusal is not None:
            raise refusal

    def commit(self) -> None:
        """As psycopg's. Raises while it is lent."""
        self.refuse(b"commit")
        super().commit()

    def rollback(self) -> None:
        """As psycopg's. Raises while it is lent."""
        self.refuse(b"rollback")
        super().rollback()


class RestrictedCursor(psycopg.Cursor[Row]):
    """A cursor that asks its connection about each statement first."""

    def execute(
        self,
        query: Any,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """As psycopg's. Raises what the connection has for a statement that it refuses."""
        self._refuse(query)
        return super().execute(query, params, prepare=prepare, binary=binary)

    def executemany(
        self, query: Query, params_seq: Iterable[Params], *, returning: bool = False
    ) -> None:
        """As psycopg's. Raises what the connection has for a statement that it refuses."""
        self._refuse(query)
        super().executemany(query, params_seq, returning=returning)

    def _refuse(self, query: object) -> None:
        if isinstance(self.connection, RestrictedConnection):
            self.connection.refuse(query)


class LentCursor(RestrictedCursor[Any]):
    """A handler's cursor: everything but the end of the transaction, and only within the step.

    Raises TransactionEnded for a statement that would end the transaction.
    """

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self._lending = connection.lending

    def _start_query(self, query: Query | None = None) -> Any:
        if self._lending is not getattr(self._conn, "lending", None):
            raise psycopg.InterfaceError("the step that this cursor was lent to has ended")
        return super()._start_query(query)


class LentConnection(RestrictedConnection):
    """A connection that a handler cannot end the transaction of, while `lent_to` names its step."""

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

    def refusal(self, words: str, lent_to: str) -> Exception | None:
        """TransactionEnded for a statement that would end the transaction."""
        return TransactionEnded(lent_to) if ENDS.match(words) else None


def words_of(query: object, connection: RestrictedConnection) -> str:
    """The text of a statement in whichever form psycopg takes it."""
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return query if isinstance(query, str) else sql.as_string(query, connection)
