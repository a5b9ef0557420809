"""Reads the health findings of the database, as far as the login may see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flowledger.engine.domain.health_report import FoundRow, HolderRow
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Pool

FINDINGS = "select * from flowledger_v1.health_findings(%s)"
HOLDERS = "select * from flowledger_v1.vacuum_holders(%s)"


class PostgresHealth:
    """What needs somebody, read with the rights of a reader. Methods raise DatabaseUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def look(
        self, patience_seconds: float
    ) -> tuple[datetime, Sequence[FoundRow], Sequence[HolderRow]]:
        """The server's time, what was found, and who holds back vacuum or cannot be seen."""
        with translate_errors(), self._pool.connection() as connection:

            def rows(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(query.encode(), (patience_seconds,)).fetchall()

            found = [FoundRow(*row) for row in rows(FINDINGS)]
            holders = [HolderRow(*row) for row in rows(HOLDERS)]
            ((now,),) = connection.execute("select pg_catalog.clock_timestamp()").fetchall()
        return now, found, holders
