"""What is kept of an error of a projection's method, and whose fault an error is."""

from __future__ import annotations

from typing import NamedTuple, cast

import psycopg

from flowledger.engine.config.projection_section import ProjectionSettings
from flowledger.engine.display_text import on_one_line
from flowledger.engine.domain.failures.step_error_from_exception import words_of
from flowledger.engine.domain.failures.tracebacks import bounded_traceback, clear_traceback
from flowledger.engine.domain.failures.untrusted_exception import cause_of, is_a, name_of
from flowledger.engine.domain.storable_text_check import storable
from flowledger.engine.errors import (
    DatabaseUnavailable,
    EngineClosed,
    EngineError,
    LeadershipLost,
    LogCorrupt,
)
from flowledger.engine.store.connection.errors import meaning_of

NOBODYS_FAULT = (DatabaseUnavailable, LeadershipLost, EngineClosed)
OF_THE_DATA = ("22", "23", "54")
"""Classes of SQLSTATE: values that are none, that break a constraint, or are too large for it."""


class Failure(NamedTuple):
    """What an operator is told of an error: class and message on one line, and where it raised."""

    sentence: str
    traceback: str | None = None


def failure_of(error: Exception, settings: ProjectionSettings) -> Failure:
    """What is kept of an error, within the bounds of the settings, as it can be stored.

    The error's own traceback is cleared: a method may raise the same object at its next try.
    """
    cause = cause_of(error)
    said = cause if cause is not None and is_a(cause, psycopg.Error) else error
    sentence = on_one_line(f"{name_of(said)}: {words_of(said)}")
    raised = bounded_traceback(error, settings.traceback_limit_bytes)
    clear_traceback(error)
    return Failure(storable(sentence)[: settings.max_failure_chars], raised)


def reraise_database_errors(error: Exception) -> None:
    """Raise, in the engine's words, what is neither the event's fault nor the method's.

    The same may succeed later.
    """
    if is_a(error, NOBODYS_FAULT):
        raise error
    meaning = meaning_of(error)
    if isinstance(meaning, NOBODYS_FAULT):
        raise meaning from error


def is_of_the_data(error: Exception) -> bool:
    """Whether a method of the engine's own raised this because of what its event says.

    Whoever may append to the log may append what no release would: then the method fails by an
    error of Python, or the database refuses a value. Not so where a table or a right is missing,
    or memory: that is no event's fault, and all others would meet it too.
    """
    cause = cause_of(error) if is_a(error, EngineError) else None
    said = error if cause is None else cause
    if is_a(said, LogCorrupt):
        return True
    if is_a(said, psycopg.Error):
        state = cast("psycopg.Error", said).sqlstate
        return is_a(said, psycopg.DataError) if state is None else state.startswith(OF_THE_DATA)
    return not is_a(said, (EngineError, OSError, MemoryError))
