"""Tasks that coordinators leave alone, as an operator sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flowledger.engine.store.connection.arrays import UuidArray
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Pool

PARKED = """
    select
        task_id, namespace || '/' || template || '@' || version, reason, parked_at, tried_at, wanted
    from flowledger_v1.parked_tasks
    order by parked_at, task_id
"""


@dataclass(frozen=True, slots=True)
class ParkedTask:
    """A task that is left alone. `template` is None where no coordinator could take it on."""

    task_id: UUID
    template: str | None
    reason: str
    parked_at: datetime
    tried_at: datetime
    wanted: bool


class PostgresParked:
    """Which tasks are parked, and having them tried again. Methods raise DatabaseUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def tasks(self) -> Sequence[ParkedTask]:
        """The parked tasks, the longest parked first."""
        return [ParkedTask(*row) for row in self._all(PARKED)]

    def retry(self, tasks: Sequence[UUID] | None) -> Sequence[UUID]:
        """Have these tried again, or all; those of them that are parked."""
        wanted = None if tasks is None else UuidArray(tasks)
        rows = self._all("select flowledger.retry_parked(%b::uuid[])", (wanted,))
        return [task for (task,) in rows]

    def _all(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters).fetchall()
