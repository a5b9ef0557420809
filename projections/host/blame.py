"""Whether an event, or the method that took it, is to blame for an error."""

from __future__ import annotations

import psycopg

from flowledger.engine.errors import DatabaseUnavailable, EngineClosed, LeadershipLost
from flowledger.engine.store.connection.errors import meaning_of

NOBODYS_FAULT = (DatabaseUnavailable, LeadershipLost, EngineClosed)


def spare(error: Exception) -> None:
    """Raise, in the engine's words, what is neither the event's fault nor the method's.

    The same may succeed later.
    """
    if isinstance(error, NOBODYS_FAULT):
        raise error
    meaning = meaning_of(error)
    if isinstance(meaning, NOBODYS_FAULT):
        raise meaning from error


def words_of(error: Exception, max_chars: int) -> str:
    """What an operator is told of it."""
    said = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
    return f"{type(said).__name__}: {said}"[:max_chars]
