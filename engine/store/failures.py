"""What the database refuses, in the engine's own words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from eventsourcing.persistence import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from flowledger.engine.errors import DatabaseUnavailable, LeadershipLost, StreamMoved

OUR_CODES = "FL"
NOT_THE_LEADER = "FL002"
CUT_OFF = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    OperationalError,
    InterfaceError,
)


@contextmanager
def translated() -> Generator[None]:
    """Raise DatabaseUnavailable, LeadershipLost or StreamMoved for what the database says.

    Being cut off says nothing about whether the last transaction is stored: the caller looks.
    """
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise StreamMoved(str(error.diag.message_detail)) from error
    except CUT_OFF as error:
        # To psycopg a code that it does not know, as ours, is an operational error too.
        state = getattr(error, "sqlstate", None) or ""
        if state == NOT_THE_LEADER:
            raise LeadershipLost(str(error)) from error
        if state.startswith(OUR_CODES):
            raise
        raise DatabaseUnavailable(" ".join(str(error).split()) or type(error).__name__) from error
