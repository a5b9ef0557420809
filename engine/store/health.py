"""Reads the health findings of the database, as far as the login may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from flowledger.engine.domain.health_rows_and_report import FoundRow, HealthLook, HolderRow, LockRow
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.hurried import Sessions
from flowledger.engine.store.connection.pool import Connection
from flowledger.engine.store.connection.redacted_address import address_for_psql

# A login's own setting says nothing of the others.
NOW = """
    select pg_catalog.clock_timestamp(), case
        when pg_catalog.pg_is_in_recovery() then 'standby'
        else (
            select s.source from pg_catalog.pg_settings as s
            where s.name = 'default_transaction_read_only' and s.setting = 'on'
                and s.source in ('configuration file', 'command line', 'database')
        )
    end
"""
FINDINGS = "select * from flowledger_v1.health_findings(%s)"
HOLDERS = "select * from flowledger_v1.vacuum_holders(%s)"
LOCKS = "select * from flowledger_v1.blocking_sessions()"
# So long it waits for tables that somebody has locked; it says who then.
PATIENCE = b"set local lock_timeout = '2s'"


class PostgresHealth:
    """What needs somebody, read with the rights of a reader. Methods raise DatabaseUnavailable."""

    def __init__(self, pool: Sessions) -> None:
        self._pool = pool

    def look(self, patience_seconds: float) -> HealthLook:
        """What was found, who holds locks, and who holds back vacuum or cannot be seen."""
        with translate_errors(), self._pool.connection() as connection:
            ((now, read_only),) = connection.execute(NOW).fetchall()
            holders = _rows(connection, HOLDERS, patience_seconds)
            look = HealthLook(
                now=now,
                holders=[HolderRow(*row) for row in holders],
                address=address_for_psql(connection.info),
                read_only=read_only,
            )
            try:
                with connection.transaction():
                    connection.execute(PATIENCE)
                    rows = _rows(connection, FINDINGS, patience_seconds)
            except psycopg.errors.LockNotAvailable:
                locks = _locks(connection)
                if not locks:  # whoever it was has let go
                    raise
                return replace(look, locks=locks, locked=True)
            found = [FoundRow(*row) for row in rows]
            return replace(look, found=found, locks=_locks(connection))


def _locks(connection: Connection) -> Sequence[LockRow]:
    return [LockRow(*row) for row in _rows(connection, LOCKS)]


def _rows(connection: Connection, query: str, *parameters: float) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), parameters).fetchall()
