"""Finds the psycopg connection within what a caller has: psycopg's own, SQLAlchemy's or Django's.

None of these libraries is imported: they are recognised by their methods. A SQLAlchemy connection
that has not begun a transaction is made to begin one, as its first statement would: otherwise it
would not know that there is something to commit.
"""

from __future__ import annotations

from typing import Any, TypeGuard, TypeVar

import psycopg

from flowledger.engine.errors import InvalidSubmission

C = TypeVar("C", psycopg.Connection[Any], psycopg.AsyncConnection[Any])
EXPECTED = "expected a connection of psycopg 3, SQLAlchemy (postgresql+psycopg) or Django"


def connection_of(given: Any) -> psycopg.Connection[Any]:
    """The psycopg connection whose transaction the caller has. Raises InvalidSubmission."""
    if _is_plain(given):
        return _open(given)
    found = _driver_of(given)
    if not _is_plain(found):
        raise _unexpected(given, found)
    return _open(found)


async def async_connection_of(given: Any) -> psycopg.AsyncConnection[Any]:
    """As `connection_of`, for those that are awaited."""
    if _is_awaited(given):
        return _open(given)
    found: object = None
    if _can(given, "get_bind", "connection"):  # AsyncSession
        given = await given.connection()
    if _can(given, "get_raw_connection", "in_transaction"):  # AsyncConnection
        if not given.in_transaction():
            await given.begin()
        found = (await given.get_raw_connection()).driver_connection
    if not _is_awaited(found):
        raise _unexpected(given, found)
    return _open(found)


def _open(found: C) -> C:
    if found.closed:
        raise InvalidSubmission("connection: it is closed")
    return found


def _is_plain(given: object) -> TypeGuard[psycopg.Connection[Any]]:
    return isinstance(given, psycopg.Connection)


def _is_awaited(given: object) -> TypeGuard[psycopg.AsyncConnection[Any]]:
    return isinstance(given, psycopg.AsyncConnection)


def _driver_of(given: Any) -> object:
    if _can(given, "ensure_connection"):  # Django
        given.ensure_connection()
        return given.connection
    if _can(given, "get_bind", "connection"):  # Session
        return None if _can(given, "run_sync") else _driver_of(given.connection())
    if _can(given, "exec_driver_sql", "in_transaction") and not _can(given, "run_sync"):
        if not given.in_transaction():
            given.begin()
        return given.connection.driver_connection
    return None


def _can(given: object, *methods: str) -> bool:
    return all(callable(getattr(given, method, None)) for method in methods)


def _unexpected(given: object, found: object) -> InvalidSubmission:
    kind = type(given)
    named = kind.__name__ if found is None else f"{kind.__name__} of {type(found).__module__}"
    awaited = _is_awaited(given) or _can(given, "run_sync")
    return InvalidSubmission(
        f"connection: {EXPECTED}, not {named}{': AsyncEngine takes it' if awaited else ''}"
    )
