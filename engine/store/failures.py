"""What the database refuses, in the engine's own words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from eventsourcing.persistence import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from flowledger.engine.errors import DatabaseUnavailable, LeadershipLost, StreamMoved

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
        raise DatabaseUnavailable(" ".join(str(error).split()) or type(error).__name__) from error
    except psycopg.DatabaseError as error:
        if error.sqlstate == NOT_THE_LEADER:
            raise LeadershipLost(str(error.diag.message_primary)) from error
        raise
