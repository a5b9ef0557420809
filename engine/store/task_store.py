"""The application's port on Postgres: registers templates, submits tasks and reads them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.explain.live_state import LiveState
from flowledger.engine.domain.submitted_again import require_same
from flowledger.engine.domain.templates.template import Template, difference
from flowledger.engine.errors import (
    DatabaseSilent,
    DatabaseUnavailable,
    DatabaseUnfit,
    DefinitionChanged,
    LogCorrupt,
    StreamMoved,
)
from flowledger.engine.events.base import Event, Recorded
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.requests import TaskRequest
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateRegistered, TemplateResumed
from flowledger.engine.ports.async_connection_from_threads import OnLoop
from flowledger.engine.ports.client import Answer, Progress, Snapshot, StepRow, TaskRow
from flowledger.engine.store.connection.arrays import BigintArray, ByteaArray, TextArray, UuidArray
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.errors import told_again, translate_errors
from flowledger.engine.store.connection.hurried import Sessions
from flowledger.engine.store.connection.pool import Connection
from flowledger.engine.store.coordinator_store import registered
from flowledger.engine.store.explain_snapshot import surroundings_of
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent
from flowledger.engine.store.log.eventsourcing_recorders import (
    LedgerDatastore,
    LedgerRecorder,
    event_arrays,
)
from flowledger.engine.store.transactional_submission import (
    WHICH_DATABASE,
    LaterSubmission,
    WhichDatabase,
    identities_of,
    owners_of,
)
from flowledger.engine.store.uuid_generator import Identifiers

TASK = "select * from flowledger.task_row(%s)"
STEPS = "select * from flowledger.step_rows(%s)"
POSITION = "select flowledger.shard_position_of_task(%s)"
HISTORY = (
    "select notification_id, recorded_at,"
    " originator_id, originator_version, topic, state, task_id"
    " from flowledger.task_events(%s)"
)
LAST = (
    "select notification_id, recorded_at,"
    " originator_id, originator_version, topic, state, task_id"
    " from flowledger.last_event_of_streams(%b, %s::bigint)"
)


SUBMIT = "select * from flowledger.submit_tasks(%b, %b, %b, %b, %b)"
REQUEST = "select flowledger.append_per_stream(%b, %b, %b, %b, %b, %b, 'fact')"
NOTE = "select flowledger.append_per_stream(%b, %b, %b, %b, %b, %b, 'note')"


class PostgresTaskStore:
    """Tasks in Postgres."""

    def __init__(
        self, pool: Sessions, mapper: EventMapper, clock: DatabaseClock, identifiers: Identifiers
    ) -> None:
        self._pool = pool
        self._mapper = mapper
        self._clock = clock
        self._identifiers = identifiers
        self._recorder = LedgerRecorder(LedgerDatastore(pool))

    @property
    def sessions(self) -> int:
        """How many the pool has made."""
        return self._pool.made

    def register(self, template: Template) -> None:
        """Record the definition once. Raises DefinitionChanged."""
        event = self._registration(template)
        stored = self._mapper.to_stored_event(event)
        try:
            rows = self._all(
                "select flowledger.register_template(%s, %s, %s, %s, %s, %s::jsonb, %s, %b, %s)",
                (
                    *(event.originator_id, event.namespace, event.template, event.version),
                    event.definition_hash,
                    self._mapper.transcoder.encode(event.definition).decode(),
                    *(stored.topic, stored.state, stored.encoding),
                ),
            )
        except StreamMoved:
            # The log has the definition, and its row is gone: the log is what counts.
            registered_hash = self.template(template.template_id).definition_hash
        else:
            registered_hash = rows[0][0]
        if registered_hash != event.definition_hash:
            known = self.template(template.template_id)
            raise DefinitionChanged(template.key, difference(known, template))

    def served_by(self, template_id: UUID) -> Sequence[str]:
        """The live workers that run steps of the template, for people to find them."""
        query = "select host, pid from flowledger.workers_for_template(%s, false) where serves"
        return [f"process {pid} on host {host}" for host, pid in self._all(query, (template_id,))]

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        with translate_errors():
            stored = self._recorder.select_events(template_id, limit=1)
        return registered(stored, template_id, self._mapper)

    def pause_template(self, template_id: UUID, event: TemplatePaused | TemplateResumed) -> bool:
        """Append it to the template's stream, at whatever version is the next.

        Returns whether anything changed: not where the template is paused, or not, already.
        Raises UnknownTemplate.
        """
        stored = self._mapper.to_stored_event(event)
        rows = self._all(
            "select flowledger.set_template_paused(%s, %s, %s, %b, %s)",
            (
                *(template_id, isinstance(event, TemplatePaused)),
                *(stored.topic, stored.state, stored.encoding),
            ),
        )
        if not rows[0][0]:
            self.template(template_id)
        return bool(rows[0][0])

    def submit(
        self,
        created: Sequence[TaskCreated],
        connection: object | None,
        *,
        only_new: bool,
        ids_given: bool = False,
    ) -> Sequence[UUID]:
        """Store tasks in one transaction, or on the caller's connection in the caller's.

        Returns for each the task that has its identity; with `only_new` raises DuplicateTask
        where that is another one, and stores none. Raises InvalidSubmission, and stores none, for
        an id that stands for something else, and for what is no connection of psycopg, SQLAlchemy
        or Django.
        """
        if connection is None:
            return self._submit(created, only_new=only_new)
        given = (identities_of(created), *self._arrays(created)[1:])
        later = LaterSubmission(
            given, created, self._mapper, only_new=only_new, ids_given=ids_given
        )
        if isinstance(connection, OnLoop):
            return connection.run(partial(later.store_awaited, self._which_database()))
        return later.store(self._which_database(), connection)

    def _which_database(self) -> WhichDatabase:
        ((name, oid, cluster),) = self._all(WHICH_DATABASE, ())
        return WhichDatabase(name, oid, cluster)

    def task(self, task_id: UUID) -> TaskRow | None:
        """The task's row; None where the coordinator has not seen it."""
        rows = self._all(TASK, (task_id,))
        return TaskRow(*rows[0]) if rows else None

    def steps(self, task_id: UUID) -> Sequence[StepRow]:
        """The rows of the task's steps."""
        return [StepRow(*row) for row in self._all(STEPS, (task_id,))]

    def known(self, task_id: UUID) -> bool:
        """Whether the task was submitted, be it seen by the coordinator or not."""
        rows = self._all("select flowledger.task_exists(%s)", (task_id,))
        return bool(rows[0][0])

    def history(self, task_id: UUID) -> Sequence[Recorded]:
        """Every event of the task, in log order."""
        return [self._recorded(row) for row in self._all(HISTORY, (task_id,))]

    def progress(self, task_id: UUID, names: int) -> Progress:
        """How far the task is, with the names of at most so many running steps."""
        rows = self._all("select * from flowledger.step_counts_of_task(%s, %s)", (task_id, names))
        running = [name for state, _, some in rows if state == "in_progress" for name in some]
        return Progress({state: count for state, count, _ in rows}, running)

    def snapshot(self, task_id: UUID) -> Snapshot:
        """Rows, history and position as they stood together."""
        with self._moment() as connection:
            return self._snapshot(connection, task_id)

    def ended(self, tasks: Sequence[UUID]) -> Sequence[UUID]:
        """Those of the tasks that have ended."""
        rows = self._all("select flowledger.which_ended(%b)", (UuidArray(tasks),))
        return [row[0] for row in rows]

    def surroundings(self, task_id: UUID) -> tuple[Snapshot, LiveState]:
        """A snapshot of the task, and what stood around it at that moment."""
        with self._moment() as connection:
            snapshot = self._snapshot(connection, task_id)
            created = snapshot.history[0].event if snapshot.history else None
            template = created.template_id if isinstance(created, TaskCreated) else None
            last = snapshot.history[-1].position if snapshot.history else 0
            return snapshot, surroundings_of(connection, task_id, template, last)

    def last_events(self, streams: Sequence[UUID], until: int) -> Mapping[UUID, Recorded]:
        """The last event of each of these streams up to a position; of an empty one none."""
        found = (self._recorded(row) for row in self._all(LAST, (UuidArray(streams), until)))
        return {recorded.event.originator_id: recorded for recorded in found}

    def last_position(self) -> int:
        """Where the log ends; 0 where nothing has happened."""
        return int(self._all("select flowledger.last_position()", ())[0][0])

    def now(self) -> datetime:
        """The engine's time, by the database."""
        asked = self._clock.asking()
        now: datetime = self._all("select flowledger.clock()", ())[0][0]
        self._clock.observe(now, asked)
        return now.astimezone(UTC)

    def keep_time(self) -> None:
        """Ask the database what time it is, where nobody here has asked for long."""
        if self._clock.stale:
            try:
                self.now()
            except (DatabaseSilent, DatabaseUnfit):  # whoever asks more waits, or cannot be served
                raise
            except DatabaseUnavailable:  # it may be there for a caller's own connection
                pass

    def created(self, tasks: Sequence[UUID]) -> Mapping[UUID, TaskCreated]:
        """The first event of those of the tasks that a coordinator can decide about."""
        rows = self._all("select * from flowledger.task_created_events(%b)", (UuidArray(tasks),))
        events = (self._mapper.to_domain_event(StoredLogEvent(*row)) for row in rows)
        return {event.task_id: event for event in events if isinstance(event, TaskCreated)}

    def request(self, requests: Sequence[TaskRequest], key: str) -> Sequence[UUID]:
        """Append requests, in one transaction, each to a stream of its own, which the key names.

        Returns the streams of those that were left out, since another request began the stream.
        Raises MaybeStored.
        """
        left_out: Sequence[UUID] = self._append(REQUEST, requests, key)[0][0]
        return left_out

    def note(self, notes: Sequence[TaskNote], key: str) -> None:
        """Append notes, each to a stream of its own; one whose stream there is already is not.

        Raises MaybeStored.
        """
        self._append(NOTE, notes, key)

    def _append(
        self, query: Any, facts: Sequence[TaskRequest | TaskNote], key: str
    ) -> list[tuple[Any, ...]]:
        arrays = event_arrays([self._mapper.to_stored_event(fact) for fact in facts])
        with (
            translate_errors(),
            self._pool.connection() as connection,
            told_again(f"ask again with key={key!r}", [fact.task_id for fact in facts], key),
        ):
            return connection.execute(query, arrays, binary=True).fetchall()

    def requested(self, request: UUID) -> TaskRequest:
        """The request in a stream. Raises LogCorrupt where there is none."""
        with translate_errors():
            stored = self._recorder.select_events(request, limit=1)
        for event in map(self._mapper.to_domain_event, stored):
            if isinstance(event, TaskRequest):
                return event
        raise LogCorrupt(f"stream {request} does not begin with a request")

    def answers(self, requests: Sequence[UUID]) -> Mapping[UUID, Answer]:
        """What was answered to those of the requests that were."""
        rows = self._all("select * from flowledger.request_answers(%b)", (UuidArray(requests),))
        events = (self._mapper.to_domain_event(StoredLogEvent(*row)) for row in rows)
        return {event.request: event for event in events if isinstance(event, Answer)}

    def templates(self) -> Sequence[tuple[str, str, str, str]]:
        """Namespace, name, version and hash of every registered template."""
        rows = self._all("select * from flowledger.list_templates()", ())
        return cast("list[tuple[str, str, str, str]]", rows)

    def open_tasks(self) -> Mapping[str, int]:
        """How many tasks of each template are open, by `namespace/name@version`."""
        rows = self._all("select * from flowledger.open_tasks_by_template()", ())
        return {f"{row[0]}/{row[1]}@{row[2]}": row[3] for row in rows}

    def unserved(self) -> Sequence[tuple[str, int]]:
        """Templates of which tasks are open and no live worker claims steps, and how many."""
        rows = self._all("select * from flowledger.templates_without_worker()", ())
        return [(f"{row[0]}/{row[1]}@{row[2]}", row[3]) for row in rows]

    @contextmanager
    def _moment(self) -> Generator[Connection]:
        """Within the block, a connection to which nothing happens meanwhile."""
        with translate_errors(), self._pool.connection() as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            yield connection

    def _snapshot(self, connection: Connection, task_id: UUID) -> Snapshot:
        tasks = _rows(connection, TASK, task_id)
        steps = _rows(connection, STEPS, task_id)
        history = _rows(connection, HISTORY, task_id)
        ((position,),) = _rows(connection, POSITION, task_id)
        return Snapshot(
            position,
            TaskRow(*tasks[0]) if tasks else None,
            [StepRow(*row) for row in steps],
            [self._recorded(row) for row in history],
        )

    def _recorded(self, row: tuple[Any, ...]) -> Recorded:
        position, recorded_at, *stored = row
        return Recorded(position, recorded_at, self._mapper.readable(recorded_at, *stored))

    def _submit(self, created: Sequence[TaskCreated], *, only_new: bool) -> Sequence[UUID]:
        arrays = self._arrays(created)
        ids = [event.task_id for event in created]
        again = (
            f"submit it again with task_id={ids[0]}"
            if len(ids) == 1
            else ("submit them again with task_ids, which this error has")
        )
        try:
            with (
                translate_errors(),
                self._pool.connection() as connection,
                told_again(again, ids),
                connection.transaction() if only_new else nullcontext(),
            ):
                rows = connection.execute(SUBMIT, arrays, binary=True).fetchall()
                return owners_of(created, rows, only_new=only_new)
        except StreamMoved:
            # Where the ids are taken, the answer to an earlier attempt was lost after it was
            # stored.
            stored = self._standing_for(ids)
            for event in created:
                if event.task_id in stored:
                    require_same(event, stored[event.task_id])
            missing = [event for event in created if event.task_id not in stored]
            if len(missing) == len(created):
                raise
        more = self._submit(missing, only_new=only_new) if missing else ()
        owners = dict(zip((event.task_id for event in missing), more, strict=True))
        return [owners.get(task_id, task_id) for task_id in ids]

    def _standing_for(self, ids: Sequence[UUID]) -> Mapping[UUID, Event]:
        """The first event of what has each of these ids, be it left to the coordinator."""
        rows = self._all("select * from flowledger.first_events_of_ids(%b)", (UuidArray(ids),))
        return {row[0]: self._mapper.event(row[0], 1, row[1], row[2], row[0]) for row in rows}

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

    def _all(
        self, query: Any, parameters: Sequence[Any] | Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()


def _rows(connection: Connection, query: Any, task_id: UUID) -> list[tuple[Any, ...]]:
    return connection.execute(query, (task_id,), binary=True).fetchall()
