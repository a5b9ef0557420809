"""Compares the public views and functions in the database with the files of this release.

The files are applied in a transaction that is rolled back, and the server's descriptions of each
view and function before and after are compared. If the role may not do that, a view is in
use for long, or the database is read-only, the answer is that nothing was compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from uuid import UUID

import psycopg

from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.ports.verification import Finding, NotCompared
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.open_connection import dial
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.schema.migrate import Connection, SqlFile, packaged

FOLDER = "v1/"
PLACE = "the public schema"
RELEASE = "this release"
READ_ONLY = "the database is read-only, and the files would have to be applied, to be rolled back"
SETTINGS = (
    b"set local lock_timeout = '2 s'; set local client_min_messages = warning;"
    b" set local check_function_bodies = off; set local search_path = pg_catalog, pg_temp"
)
DEFINED = b"""
select 'view ' || c.relname, pg_get_viewdef(c.oid)
from pg_class as c
where c.relnamespace = 'flowledger_v1'::regnamespace and c.relkind = 'v'
union all
select 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid)
from pg_proc as p
where p.pronamespace = 'flowledger_v1'::regnamespace and p.prokind = 'f'
"""


REFUSED = (psycopg.errors.InvalidTableDefinition, psycopg.errors.InvalidFunctionDefinition)


class PublicSchemaCheck:
    """Views and functions that differ from this release's, or are missing."""

    name = "public schema"

    def __init__(self, url: str, answer_seconds: float = inf) -> None:
        """`answer_seconds`: so long the server may say nothing to a statement."""
        self._url = url
        self._answer_seconds = answer_seconds

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`; nothing for one task."""
        if task is not None:
            return
        yield from self._compared()

    def _compared(self) -> Sequence[Finding]:
        with translate_errors(), dial(self._url, Session) as connection:
            connection.answer_seconds = self._answer_seconds
            try:
                return _differences(connection)
            except psycopg.errors.ReadOnlySqlTransaction:
                return [NotCompared(PLACE, READ_ONLY)]
            except psycopg.Error as error:
                return [NotCompared(PLACE, str(error.diag.message_primary or error))]


def _differences(connection: Connection) -> list[Difference]:
    found: list[Difference] = []
    with connection.transaction(force_rollback=True):
        connection.execute(SETTINGS, prepare=False)
        stored = _defined(connection)
        files = [file for file in packaged() if file.path.startswith(FOLDER)]
        if not _go_over_what_is_there(connection, files):
            for file in files:
                found += _applied(connection, file)
        made = _defined(connection)
    for name in sorted({*stored, *made}):
        if stored.get(name) != made.get(name):
            seen = "another" if name in stored else "missing"
            found.append(Difference(name, "definition", "that of its file", seen, PLACE, RELEASE))
    return found


def _go_over_what_is_there(connection: Connection, files: Sequence[SqlFile]) -> bool:
    """Apply all at once: less waiting than for one after the other, and mostly enough."""
    try:
        with connection.transaction():
            connection.execute(b"\n".join(file.statements for file in files), prepare=False)
    except REFUSED:
        return False
    return True


def _applied(connection: Connection, file: SqlFile) -> list[Difference]:
    """Apply a file; one that does not go over what is there says that it is another."""
    try:
        with connection.transaction():
            connection.execute(file.statements, prepare=False)
    except REFUSED:
        return [Difference(file.path, "definition", "that of its file", "another", PLACE, RELEASE)]
    return []


def _defined(connection: Connection) -> dict[str, str]:
    return dict(connection.execute(DEFINED).fetchall())
