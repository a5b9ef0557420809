"""Tasks by what they are, from Postgres."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.domain.task_query import TaskQuery
from flowledger.engine.ports.task_list import ListedTask, Listing
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.hurried import Sessions

LIST = (
    "select * from flowledger.list_tasks(%s, %s, %s, %s, %s::text[], %s, %s, %s::text[], %s,"
    " %s::timestamptz, %s::timestamptz, %s)"
)

STATE = 4
STATES = frozenset(state.value for state in TaskState)
AS_OF = "select at, position from flowledger_v1.projection_freshness('flowledger_notes')"


class PostgresTaskList:
    """Lists tasks with the rights of who may read. Raises DatabaseUnavailable."""

    def __init__(self, pool: Sessions) -> None:
        self._pool = pool

    def tasks(self, query: TaskQuery, limit: int, after: UUID | None) -> Listing:
        """At most so many tasks that are all of what is asked for, behind one."""
        asked = (
            *(limit, query.namespace, query.template, query.version),
            None if query.states is None else [state.value for state in query.states],
            *(query.paused, query.parked, list(query.tags) or None, query.correlation_id),
            *(query.created_after, query.created_before, after),
        )
        with translate_errors(), self._pool.connection() as connection:
            # Before the tags are read, which are thus no older than is said.
            ((at, position),) = connection.execute(AS_OF, binary=True).fetchall()
            rows = connection.execute(LIST, asked, binary=True).fetchall()
        listed = [_listed(*row) for row in rows if row[STATE] in STATES]
        unreadable = [row[0] for row in rows if row[STATE] not in STATES]
        return Listing(listed, unreadable, None if at is None else _utc(at), position)


def _listed(*row: Any) -> ListedTask:
    task_id, namespace, template, version, state, paused, parked, correlation_id, *others = row
    tags, created_at, ended_at = others
    return ListedTask(
        *(task_id, namespace, template, version, TaskState(state), paused, parked),
        *(correlation_id, tuple(tags), _utc(created_at)),
        None if ended_at is None else _utc(ended_at),
    )


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
