"""Checks the schema at opening, and migrates it if the settings say so."""

from __future__ import annotations

from contextlib import suppress
from math import inf

import psycopg
from psycopg.rows import TupleRow

from flowledger.engine.config import Settings
from flowledger.engine.errors import AccessDenied, SchemaBehind, StatementRefused
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import connect
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.schema.migrate import pending
from flowledger.engine.store.schema.migrate_and_record_event import upgrade
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

MADE = "select to_regclass('flowledger.applied_file') is not null"


def bring_up_to_date(url: str, settings: Settings) -> None:
    """Do what `database.migrate` says where the schema is not that of this release.

    Raises DatabaseUnavailable, MigrationEdited, SchemaTooNew, SchemaBehind, StatementRefused.
    """
    wanted = settings.database.migrate
    if wanted == "never":
        return
    with (
        connect(
            url,
            application_name=settings.database.application_name,
            connect_timeout_seconds=settings.database.connect_timeout_seconds,
        ) as connection,
        translate_errors(),
    ):
        files = _pending(connection, settings)
        if not files:
            return
        if wanted == "check":
            raise SchemaBehind(files)
        try:
            applied = upgrade(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SchemaBehind(pending(connection)) from error
        except StatementRefused as error:
            if not _made(connection):
                raise
            raise SchemaBehind(pending(connection)) from error
        for name in applied:
            logger("migrate").emit(Signal.MIGRATION_APPLIED, name=name)


def _pending(connection: Session, settings: Settings) -> list[str]:
    """What is to be applied; what is asked after that may take any time, as migrations do."""
    connection.answer_seconds = settings.database.answer_timeout_seconds
    files = pending(connection)
    connection.answer_seconds = inf
    return files


def _made(connection: psycopg.Connection[TupleRow]) -> bool:
    """Whether the engine's schema is there, if only an older one."""
    return connection.execute(MADE).fetchone() == (True,)


def require_schema(url: str, settings: Settings) -> None:
    """Change nothing, and raise SchemaBehind where the schema is not that of this release.

    A login that may read no more than the public schema cannot know that, and goes on.
    """
    database = settings.database
    if database.migrate == "never":
        return
    with (
        suppress(AccessDenied),
        connect(
            url,
            application_name=database.application_name,
            connect_timeout_seconds=database.connect_timeout_seconds,
        ) as connection,
        translate_errors(),
    ):
        files = _pending(connection, settings)
        if files:
            raise SchemaBehind(files)
