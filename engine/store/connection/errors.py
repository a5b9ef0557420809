"""Translates database errors into the engine's: one error class for each meaning.

The database cannot be reached (DatabaseUnavailable), it refuses for now (DatabaseBusy, a subclass,
as both are tried again), or it refuses for good (StatementRefused).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import cast
from uuid import UUID

import psycopg
from eventsourcing.persistence import PersistenceError

from flowledger.engine.display_text import on_one_line
from flowledger.engine.domain.failures.untrusted_exception import cause_of, is_a
from flowledger.engine.errors import (
    AccessDenied,
    DatabaseBusy,
    DatabaseSilent,
    DatabaseUnavailable,
    EngineError,
    LeadershipLost,
    MaybeStored,
    ProjectionRefused,
    ShardsBehind,
    StatementRefused,
    StepLost,
    StreamMoved,
    TransactionEnded,
)
from flowledger.engine.store.connection.clock import SET_RIGHT
from flowledger.engine.store.connection.session import SILENCES

NOT_ALLOWED = "42501"
READ_ONLY = "25006"
OUR_CODES = "FL"
APPEND_ONLY = "FL001"
NOT_THE_LEADER = "FL002"
NOT_HELD = "FL003"
TRANSACTION_ENDED = "FL004"
FACTS_LEFT = "FL005"
LIMIT_TAKEN = "FL006"  # by another shard: what was decided is decided anew
PROJECTION_REFUSED = "FL008"
STREAM_MOVED = "FL009"
MEANINGS: Mapping[str, type[EngineError]] = MappingProxyType(
    {
        APPEND_ONLY: StatementRefused,
        NOT_THE_LEADER: LeadershipLost,
        NOT_HELD: StepLost,
        TRANSACTION_ENDED: TransactionEnded,
        FACTS_LEFT: ShardsBehind,
        LIMIT_TAKEN: StreamMoved,
        PROJECTION_REFUSED: ProjectionRefused,
        STREAM_MOVED: StreamMoved,
    }
)
"""What the schema's functions refuse, and the error of each.

Those that need facts beside the sentence are raised by whoever called the function.
"""
# 08: connections. 57P: the server stops, starts or dropped the database. The rest: the session was
# ended because it was idle, or could not be had.
UNREACHABLE = ("08", "57P", "25P03", "25P04", "53300")
# 40: serialization and deadlock. 53: disk, memory. 55: locks. 58: the server's own input/output.
# 57014: statement_timeout. 25006: read-only.
FOR_NOW = ("40", "53", "55", "57", "58", "25006")
MISSING = ("3F000", "42P01", "42883")
"""A schema, table or function that is not there."""
MIGRATE = "; `flowledger db migrate` makes what is missing of the engine's schema"
ADVICE = {"22008": f"; where flowledger.clock_offset moves the clock too far, {SET_RIGHT}"}
"""Times beyond those that the server has."""


@contextmanager
def translate_errors() -> Generator[None]:
    """Raise the engine's error for what the database says, or for its silence.

    That is StreamMoved, LeadershipLost, DatabaseUnavailable, DatabaseBusy, DatabaseSilent,
    StatementRefused or AccessDenied.
    Being cut off says nothing about whether the last transaction is stored: the caller looks.
    """
    try:
        yield
    except (psycopg.Error, PersistenceError) as error:
        meaning = meaning_of(error)
        if meaning is None:
            raise
        raise meaning from error


@contextmanager
def told_again(again: str, tasks: Sequence[UUID] = (), key: str | None = None) -> Generator[None]:
    """For a block that only writes: where its answer is lost, raise MaybeStored with these."""
    try:
        yield
    except psycopg.Error as error:
        meaning = meaning_of(error)
        if isinstance(meaning, DatabaseUnavailable) and not isinstance(meaning, DatabaseBusy):
            raise MaybeStored(again, str(meaning), tuple(tasks), key) from error
        raise


def meaning_of(error: Exception) -> EngineError | None:
    """The engine's error; None for one of ours by number, and for what never left this process."""
    cause = cause_of(error) if is_a(error, PersistenceError) else error
    if cause is None or not is_a(cause, psycopg.Error):
        return None
    cause = cast("psycopg.Error", cause)
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return StreamMoved(str(cause.diag.message_detail))
    if cause.sqlstate in (LIMIT_TAKEN, STREAM_MOVED):
        return StreamMoved(sentence(cause))
    if cause.sqlstate is not None:
        return _said(cause.sqlstate, sentence(cause))
    if isinstance(cause, SILENCES):
        return DatabaseSilent(sentence(cause))
    # Without a code it is not the server that speaks: libpq lost it, or psycopg was asked wrongly.
    cut_off = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return DatabaseUnavailable(sentence(cause)) if cut_off else None


def _said(state: str, said: str) -> EngineError | None:
    if state == NOT_THE_LEADER:
        return LeadershipLost(said)
    if state.startswith(OUR_CODES) and state != APPEND_ONLY:
        return None
    if state.startswith(UNREACHABLE):
        return DatabaseUnavailable(said, state)
    if state.startswith(FOR_NOW):
        return DatabaseBusy(f"the database refuses this for now: {said}", state)
    if state == NOT_ALLOWED:
        return AccessDenied(said, state)
    advice = MIGRATE if state in MISSING and "flowledger" in said else ADVICE.get(state, "")
    return StatementRefused(f"the database refused a statement: {said}{advice}", state)


def sentence(error: psycopg.Error) -> str:
    """What the server says, on one line. Never its detail, which may quote stored rows."""
    said = on_one_line(error.diag.message_primary or str(error)) or type(error).__name__
    return f"{said} (SQLSTATE {error.sqlstate})" if error.sqlstate else said
