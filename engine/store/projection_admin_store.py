"""The rows of projections for applications and operators: status, pausing, rebuilds, waiting."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Literal, cast
from uuid import UUID

import psycopg

from flowledger.engine.errors import ProjectionRefused
from flowledger.engine.events.engine_actions import (
    EngineAction,
    ProjectionEventSkipped,
    ProjectionParkedDropRequested,
    ProjectionParkedRetryRequested,
    ProjectionPaused,
    ProjectionRebuildCancelled,
    ProjectionRebuildRequested,
    ProjectionRemoved,
    ProjectionResumed,
    ProjectionTasksRebuildRequested,
)
from flowledger.engine.events.registry import FACT_TOPICS
from flowledger.engine.ports.projection_admin import (
    ParkedEvent,
    ProjectionStatus,
    Rebuild,
    RebuildStatus,
    SkippedEvent,
    Word,
)
from flowledger.engine.store.connection.arrays import TextArray
from flowledger.engine.store.connection.errors import PROJECTION_REFUSED, translate_errors
from flowledger.engine.store.connection.hurried import Sessions
from flowledger.engine.store.engine_action_log import Act, EngineLog

INLINE = "select * from flowledger.inline_model_status(%s, %b)"
REACHED = "select flowledger.projection_position(%s, %b)"
REBUILDS: Mapping[str, Any] = MappingProxyType(
    {
        "generation": "select * from flowledger.generation_rebuild_status(%s, %s)",
        "tasks": "select * from flowledger.task_rebuild_request_status(%s, %s)",
    }
)
WANTED: Mapping[str, type[EngineAction]] = MappingProxyType(
    {"retry": ProjectionParkedRetryRequested, "drop": ProjectionParkedDropRequested}
)


class PostgresProjectionStore:
    """The rows of the projections in Postgres. Methods raise DatabaseUnavailable."""

    def __init__(self, pool: Sessions, log: EngineLog | None = None) -> None:
        self._pool = pool
        self._engine_log = log or EngineLog()

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

    def pause(self, name: str, *, paused: bool, word: Word) -> int:
        """Let it stand still, or go on; how many generations that concerns."""
        query = "select * from flowledger.set_projection_paused(%s, %s)"
        kind = ProjectionPaused if paused else ProjectionResumed
        with self._acting(kind, word) as act:
            ((concerned, changed),) = act.all(query, (name, paused))
            if changed:
                act.record(projection=name)
            return int(concerned)

    def rebuild(self, name: str, word: Word, key: str | None) -> int | None:
        """Build it anew beside what serves; the generation, None: there is none of the name."""

        def begin(act: Act) -> int | None:
            if isinstance(act.earlier, ProjectionRebuildRequested):
                return act.earlier.generation
            ((made, begun),) = act.all("select * from flowledger.start_rebuild(%s)", (name,))
            if begun or (made is not None and key is not None):
                act.record(projection=name, generation=made)
            return cast("int | None", made)

        with _refusals():
            kind = ProjectionRebuildRequested
            return self._engine_log.once(self._pool, kind, name, key, begin, **word)

    def rebuild_tasks(
        self,
        name: str,
        task: UUID | None,
        template: tuple[str, UUID] | None,
        word: Word,
        key: str | None,
    ) -> int:
        """Build the rows of a task, or of a template's tasks, anew in place; the rebuild's id."""
        named, template_id = template or (None, None)
        query = "select flowledger.request_tasks_rebuild(%s, %s, %s)"

        def begin(act: Act) -> int:
            if isinstance(act.earlier, ProjectionTasksRebuildRequested):
                return act.earlier.rebuild
            ((rebuild,),) = act.all(query, (name, task, template_id))
            act.record(projection=name, rebuild=rebuild, task=task, template=named)
            return int(rebuild)

        with _refusals():
            kind, target = ProjectionTasksRebuildRequested, f"{name} {task} {named}"
            return self._engine_log.once(self._pool, kind, target, key, begin, **word)

    def rebuild_state(self, rebuild: Rebuild) -> RebuildStatus | None:
        """The state of a rebuild, how many tasks are done, and its error; None: there is none."""
        rows = self._all(REBUILDS[rebuild.kind], (rebuild.number, rebuild.projection))
        return RebuildStatus(*rows[0]) if rows else None

    def cancel_rebuild(self, name: str, word: Word) -> int:
        """Give up what is being built; how many."""
        with self._acting(ProjectionRebuildCancelled, word) as act:
            ((cancelled,),) = act.all("select flowledger.cancel_rebuilds(%s)", (name,))
            if cancelled:
                act.record(projection=name, cancelled=cancelled)
            return int(cancelled)

    def parked(self, name: str) -> Sequence[ParkedEvent]:
        """Parked events, in the order of the log."""
        rows = self._all("select * from flowledger.parked_events(%s)", (name,))
        return [ParkedEvent(*row) for row in rows]

    def traceback(self, name: str, generation: int, position: int) -> str | None:
        """Where a generation raised on the event at a position; None where nobody knows."""
        query = "select flowledger.failure_traceback(%s, %s, %s)"
        found: str | None = self._one(query, (name, generation, position))
        return found

    def want_parked(
        self,
        name: str,
        wanted: Literal["retry", "drop"],
        task: UUID | None,
        position: int | None,
        word: Word,
    ) -> int:
        """Ask that parked events are retried or dropped; how many."""
        query = "select flowledger.request_parked_action(%s, %s, %s, %s)"
        with self._acting(WANTED[wanted], word) as act:
            ((asked,),) = act.all(query, (name, wanted, task, position))
            if asked:
                act.record(projection=name, events=asked, task=task, position=position)
            return int(asked)

    def skip(self, name: str, position: int, word: Word) -> SkippedEvent | None:
        """Have it pass over the event at which it stands; None: there is none of the name."""
        query = "select * from flowledger.skip_projection_event(%s, %s)"
        with self._acting(ProjectionEventSkipped, word) as act:
            skipped = [SkippedEvent(*row) for row in act.all(query, (name, position))]
            for one in skipped:
                act.record(
                    projection=name,
                    generation=one.generation,
                    position=position,
                    task=one.task_id,
                    failure=one.error,
                )
            return skipped[0] if skipped else None

    def remove(self, name: str, word: Word) -> bool:
        """Have it forgotten, with its rows; whether there was one. Raises ProjectionRefused."""
        with self._acting(ProjectionRemoved, word) as act:
            ((removed,),) = act.all("select flowledger.remove_projection(%s)", (name,))
            if removed:
                act.record(projection=name)
            return bool(removed)

    @contextmanager
    def _acting(self, kind: type[EngineAction], word: Word) -> Generator[Act]:
        with _refusals(), self._engine_log.acting(self._pool, kind, **word) as act:
            yield act

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
