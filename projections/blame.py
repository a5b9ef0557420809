"""Whether an event, or the method that took it, is to blame for an error."""

from __future__ import annotations

import psycopg

from flowledger.engine.errors import DatabaseUnavailable, EngineClosed, LeadershipLost
from flowledger.engine.store.failures import meaning_of

NOBODYS_FAULT = (DatabaseUnavailable, LeadershipLost, EngineClosed)


def is_nobodys_fault(error: Exception) -> bool:
    """Whether neither the event nor the method is to blame: the same may succeed later."""
    return isinstance(error, NOBODYS_FAULT) or isinstance(meaning_of(error), NOBODYS_FAULT)


def words_of(error: Exception, max_chars: int) -> str:
    """What an operator is told of it."""
    said = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
    return f"{type(said).__name__}: {said}"[:max_chars]
