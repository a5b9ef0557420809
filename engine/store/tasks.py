"""The application's store: definitions, submissions, and what can be read of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent
from pydantic import JsonValue

from flowledger.engine.domain.events import TaskCreated, TemplateRegistered
from flowledger.engine.domain.template import Template, difference
from flowledger.engine.errors import DefinitionChanged, StreamMoved
from flowledger.engine.ports import Clock, Recorded, StepRow, TaskRow
from flowledger.engine.store.arrays import (
    BigintArray,
    ByteaArray,
    TextArray,
    UuidArray,
    register_arrays,
)
from flowledger.engine.store.failures import translated
from flowledger.engine.store.identifiers import Identifiers
from flowledger.engine.store.ledger import registered
from flowledger.engine.store.mapper import LedgerMapper
from flowledger.engine.store.pool import Connection, Pool
from flowledger.engine.store.recorder import LedgerDatastore, LedgerRecorder

TASK = (
    "select task_id, template_id, namespace, template, version, state, stream_version,"
    " correlation_id, created_at, ended_at from flowledger.task where task_id = %s"
)
STEPS = (
    "select step, state, attempt, stream_version, due_at from flowledger.step where task_id = %s"
)
KNOWN = (
    "select exists (select from flowledger.event where originator_id = %(task)s)"
    " or exists (select from flowledger.submission where task_id = %(task)s)"
)
HISTORY = (
    "select notification_id, recorded_at, originator_id, originator_version, topic, state"
    " from flowledger.task_events(%s)"
)


class PostgresTasks:
    """Tasks in Postgres."""

    def __init__(
        self, pool: Pool, mapper: LedgerMapper, clock: Clock, identifiers: Identifiers
    ) -> None:
        self._pool = pool
        self._mapper = mapper
        self._clock = clock
        self._identifiers = identifiers
        self._recorder = LedgerRecorder(LedgerDatastore(pool))

    def register(self, template: Template) -> None:
        """Record the definition once. Raises DefinitionChanged."""
        event = self._registration(template)
        stored = self._mapper.to_stored_event(event)
        rows = self._all(
            "select flowledger.register_template(%s, %s, %s, %s, %s, %s::jsonb, %s, %b, %s)",
            (
                *(event.originator_id, event.namespace, event.template, event.version),
                event.definition_hash,
                self._mapper.transcoder.encode(event.definition).decode(),
                *(stored.topic, stored.state, stored.encoding),
            ),
        )
        if rows[0][0] != event.definition_hash:
            known = self.template(template.template_id)
            raise DefinitionChanged(template.key, difference(known, template))

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        with translated():
            stored = self._recorder.select_events(template_id, limit=1)
        return registered(stored, template_id, self._mapper)

    def submit(self, created: Sequence[TaskCreated], connection: object | None) -> Sequence[UUID]:
        """Store tasks in one transaction, or on the caller's connection in the caller's.

        Returns for each the task that has its identity. Raises TypeError for what is no psycopg
        connection.
        """
        if connection is None:
            return self._submit(created)
        if not isinstance(connection, psycopg.Connection):
            raise TypeError(f"expected a psycopg connection, not {type(connection).__name__}")
        cursor = cast("Connection", connection).cursor(row_factory=psycopg.rows.tuple_row)
        register_arrays(cursor.adapters)
        cursor.execute(
            "select * from flowledger.submit_later(%b, %b, %b, %b, %b)", self._arrays(created)
        )
        return [row[0] for row in cursor]

    def task(self, task_id: UUID) -> TaskRow | None:
        """The task's row; None where the coordinator has not seen it."""
        rows = self._all(TASK, (task_id,))
        return TaskRow(*rows[0]) if rows else None

    def steps(self, task_id: UUID) -> Sequence[StepRow]:
        """The rows of the task's steps."""
        return [StepRow(*row) for row in self._all(STEPS, (task_id,))]

    def known(self, task_id: UUID) -> bool:
        """Whether the task was submitted, be it seen by the coordinator or not."""
        with translated(), self._pool.connection() as connection:
            row = connection.execute(KNOWN, {"task": task_id}).fetchone()
        return bool(row and row[0])

    def history(self, task_id: UUID) -> Sequence[Recorded]:
        """Every event of the task, in log order."""
        read = self._mapper.to_domain_event
        return [
            Recorded(position, recorded_at, read(StoredEvent(*stored)))
            for position, recorded_at, *stored in self._all(HISTORY, (task_id,))
        ]

    def ended(self, tasks: Sequence[UUID]) -> Sequence[UUID]:
        """Those of the tasks that have ended."""
        rows = self._all(
            "select task_id from flowledger.task where task_id = any(%s) and ended_at is not null",
            (list(tasks),),
        )
        return [row[0] for row in rows]

    def templates(self) -> Sequence[tuple[str, str, str, str]]:
        """Namespace, name, version and hash of every registered template."""
        rows = self._all(
            "select namespace, name, version, definition_hash from flowledger.template order by 1, 2, 3",
            (),
        )
        return cast("list[tuple[str, str, str, str]]", rows)

    def _submit(self, created: Sequence[TaskCreated]) -> Sequence[UUID]:
        query = "select * from flowledger.submit_tasks(%b, %b, %b, %b, %b)"
        try:
            return [row[0] for row in self._all(query, self._arrays(created))]
        except StreamMoved:
            # The ids are this call's own: where they are taken, the answer to an earlier attempt
            # was lost after it was stored.
            if all(self.known(event.task_id) for event in created):
                return [event.task_id for event in created]
            raise

    def _arrays(self, created: Sequence[TaskCreated]) -> tuple[Any, ...]:
        stored = [self._mapper.to_stored_event(event) for event in created]
        return (
            TextArray([event.identity for event in created]),
            UuidArray([event.task_id for event in created]),
            TextArray([event.topic for event in stored]),
            ByteaArray([event.state for event in stored]),
            BigintArray([event.encoding for event in stored]),
        )

    def _registration(self, template: Template) -> TemplateRegistered:
        event_id = self._identifiers.new()
        definition = cast("dict[str, JsonValue]", template.model_dump(mode="json"))
        return TemplateRegistered(
            originator_id=template.template_id,
            originator_version=1,
            event_id=event_id,
            occurred_at=self._clock.now(),
            correlation_id=str(event_id),
            namespace=template.namespace,
            template=template.name,
            version=template.version,
            definition_hash=template.definition_hash,
            definition=definition,
        )

    def _all(self, query: Any, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with translated(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()
