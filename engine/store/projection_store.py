"""The rows of the projections, as applications and operators see them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from flowledger.engine.errors import ProjectionRefused
from flowledger.engine.events.registry import FACT_TOPICS
from flowledger.engine.ports.projections import ParkedEvent, ProjectionStatus
from flowledger.engine.store.connection.arrays import TextArray
from flowledger.engine.store.connection.errors import PROJECTION_REFUSED, translate_errors
from flowledger.engine.store.connection.pool import Pool

INLINE = "select * from flowledger.inline_model_status(%s, %b)"
REACHED = "select flowledger.projection_position(%s, %b)"


class PostgresProjectionStore:
    """The rows of the projections in Postgres. Methods raise DatabaseUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def status(self, patience_seconds: float) -> Sequence[ProjectionStatus]:
        """Every generation that is not retired, and the inline models."""
        topics = TextArray(FACT_TOPICS)
        rows = self._all(INLINE, (patience_seconds, topics))
        rows += self._all("select * from flowledger.projection_status(%s)", (patience_seconds,))
        return [ProjectionStatus(*row) for row in rows]

    def reached(self, name: str) -> int | None:
        """The position up to which a projection's rows are complete; None: there is none."""
        found: int | None = self._one(REACHED, (name, TextArray(FACT_TOPICS)))
        return found

    def head(self) -> int:
        """The last position of the log."""
        return self._one("select flowledger.last_position()") or 0

    def pause(self, name: str, *, paused: bool) -> int:
        """Let it stand still, or go on; how many generations that concerns."""
        return self._one("select flowledger.set_projection_paused(%s, %s)", (name, paused)) or 0

    def rebuild(self, name: str) -> int | None:
        """Build it anew beside what serves; the generation, None: there is none of the name."""
        made: int | None = self._one("select flowledger.start_rebuild(%s)", (name,))
        return made

    def rebuild_tasks(self, name: str, task: UUID | None, template: UUID | None) -> int:
        """Build the rows of a task, or of a template's tasks, anew in place; the rebuild's id."""
        return (
            self._one("select flowledger.request_task_rebuild(%s, %s, %s)", (name, task, template))
            or 0
        )

    def rebuild_state(self, rebuild: int) -> tuple[str, int, str | None]:
        """The state of such a rebuild, how many tasks are done, and its error."""
        rows = self._all("select * from flowledger.task_rebuild_state(%s)", (rebuild,))
        return rows[0] if rows else ("cancelled", 0, "there is no such rebuild")

    def cancel_rebuild(self, name: str) -> int:
        """Give up what is being built; how many."""
        return self._one("select flowledger.cancel_rebuilds(%s)", (name,)) or 0

    def parked(self, name: str) -> Sequence[ParkedEvent]:
        """What was put aside, in the order of the log."""
        rows = self._all("select * from flowledger.parked_events(%s)", (name,))
        return [ParkedEvent(*row) for row in rows]

    def want_parked(self, name: str, wanted: str, task: UUID | None, position: int | None) -> int:
        """Ask that parked events are retried or dropped; how many."""
        query = "select flowledger.request_parked_action(%s, %s, %s, %s)"
        return self._one(query, (name, wanted, task, position)) or 0

    def remove(self, name: str) -> bool:
        """Have it forgotten, with its rows; whether there was one. Raises ProjectionRefused."""
        return bool(self._one("select flowledger.remove_projection(%s)", (name,)))

    def _one(self, query: Any, parameters: Sequence[Any] = ()) -> Any:
        return self._all(query, parameters)[0][0]

    def _all(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translate_errors(), _refusals(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()


@contextmanager
def _refusals() -> Generator[None]:
    """Raise ProjectionRefused for what the functions of the schema refuse by their own number."""
    try:
        yield
    except psycopg.DatabaseError as error:
        if error.sqlstate == PROJECTION_REFUSED:
            raise ProjectionRefused(error.diag.message_primary or str(error)) from error
        raise
