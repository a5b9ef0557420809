"""The rows of parked tasks, as operators list them and ask for them to be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flowledger.engine.events.engine_actions import TasksParkedRetryRequested
from flowledger.engine.store.connection.arrays import UuidArray
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.hurried import Sessions
from flowledger.engine.store.engine_action_log import EngineLog

PARKED = """
    select
        task_id, namespace || '/' || template || '@' || version, reason, parked_at, tried_at, wanted
    from flowledger_v1.parked_tasks
    order by parked_at, task_id
"""
RETRY = "select flowledger.request_parked_retry(%b::uuid[])"


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

    def __init__(self, pool: Sessions) -> None:
        self._pool = pool

    def tasks(self) -> Sequence[ParkedTask]:
        """The parked tasks, the longest parked first."""
        return [ParkedTask(*row) for row in self._all(PARKED)]

    def retry(self, tasks: Sequence[UUID] | None, *, actor: str, reason: str) -> Sequence[UUID]:
        """Have these tried again, or all, and record it; those of them that are parked.

        Raises InvalidRequest.
        """
        wanted = None if tasks is None else UuidArray(tasks)
        words = {"actor": actor, "reason": reason}
        with EngineLog().acting(self._pool, TasksParkedRetryRequested, **words) as act:
            found = [task for (task,) in act.all(RETRY, (wanted,))]
            if found:
                act.record(tasks=tuple(found))
        return found

    def _all(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters).fetchall()
