"""Reads what verification compares: many tasks in one snapshot, rows as values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import orjson

from flowledger.engine.domain.limits.circuit_breaker import Circuit
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.domain.verify.log import LogEntry
from flowledger.engine.domain.verify.non_task_streams import OtherStreams, streams_of
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference, Row
from flowledger.engine.domain.verify.shard_positions import SHARDS as SHARD_TABLE
from flowledger.engine.domain.verify.shard_positions import StoredShard
from flowledger.engine.domain.verify.task import StoredTask
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.store.connection.arrays import TextArray, UuidArray
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.far_times import time_in_json
from flowledger.engine.store.connection.pool import Connection, Pool
from flowledger.engine.store.coordinator_store import (
    DECIDED,
    DECISIONS,
    FACTS,
    TOPICS,
    registered,
)
from flowledger.engine.store.limit_json import circuits_of
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent
from flowledger.engine.store.log.eventsourcing_recorders import LedgerDatastore, LedgerRecorder

TASKS = "select * from flowledger.next_tasks(%s, %s)"
EVENTS = "select * from flowledger.events_in_id_ranges_of_tasks(%b)"
ROWS = "select * from flowledger.rows_of_tasks(%b)"
OWNERS = "select * from flowledger.identity_owners(%b)"
NOW = "select flowledger.clock()"
KNOWN = "select flowledger.task_exists(%s)"
WALK = "select * from flowledger.other_streams(%s, %s)"
STREAMS = "select * from flowledger.read_streams(%b)"
TEMPLATES = "select * from flowledger.rows_of_templates(%b)"
CIRCUITS = "select flowledger.circuits()::text"
SHARDS = "select * from flowledger.shard_positions()"
STRAYS = "select * from flowledger.orphan_rows()"
AGAINST = (
    "select * from flowledger.rows_against_checks("
    "'{circuit, clock_put_back, projection, projection_rebuild, rate, shard}')"
    """ where "check" <> 'shard_number_check'"""  # which SHARD_ROWS tells
)
SHARD_ROWS = "select * from flowledger.shard_row_faults()"
MISNUMBERED = "select * from flowledger.misnumbered_generations()"
MISCOUNTS = "select * from flowledger.counter_mismatches()"
SUBMISSIONS = "select s.task_id, s.topic, s.state from flowledger.submission as s"
MOST_FAULTS = 100
LOOKED_BACK = 10_000
"""So many positions before the end of the log decisions are looked for, and so many facts."""

IDS = frozenset({"task_id", "template_id", "step_id", "worker_id"})
LET_IN = "what is let in"
TIMES = frozenset({"created_at", "ended_at", "due_at", "since"})


class PostgresVerificationStore:
    """Evidence in Postgres."""

    def __init__(self, pool: Pool, mapper: EventMapper) -> None:
        self._pool = pool
        self._mapper = mapper
        self._recorder = LedgerRecorder(LedgerDatastore(pool))

    def tasks_after(self, after: UUID, limit: int) -> Sequence[tuple[UUID, int]]:
        """Tasks behind one, by id, with how many events each has."""
        return cast("list[tuple[UUID, int]]", self._all(TASKS, (after, limit)))

    def evidence(self, tasks: Sequence[UUID]) -> Sequence[StoredTask]:
        """All that is stored of these tasks, in their order."""
        with self._snapshot() as connection:
            return self.evidence_on(connection, tasks)

    def evidence_on(self, connection: Connection, tasks: Sequence[UUID]) -> Sequence[StoredTask]:
        """The same as the connection's transaction sees it."""
        wanted = (UuidArray(tasks),)
        events = _fetched(connection, EVENTS, wanted)
        rows = _fetched(connection, ROWS, wanted)
        log: defaultdict[UUID, list[LogEntry]] = defaultdict(list)
        for owner, *event in events:
            log[owner].append(self._entry(event))
        identities = [identity for its in log.values() for identity in _identities(its)]
        owners = _fetched(connection, OWNERS, (TextArray(identities),)) if identities else []
        ((now,),) = _fetched(connection, NOW, ())
        beside = _by_owner(rows)
        return [
            StoredTask(
                task_id=task,
                position=max((row["position"] for row in beside[task]["shard"]), default=0),
                now=now,
                log=log[task],
                rows=beside[task],
                owners=dict(cast("list[tuple[str, UUID]]", owners)),
            )
            for task in tasks
        ]

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate, LogCorrupt, InvalidTemplate."""
        with translate_errors():
            stored = self._recorder.select_events(template_id, limit=1)
        return registered(stored, template_id, self._mapper)

    def known(self, task_id: UUID) -> bool:
        """Whether the task was submitted."""
        return bool(self._all(KNOWN, (task_id,))[0][0])

    def streams_apart(self, after: UUID, limit: int) -> tuple[UUID | None, Sequence[UUID]]:
        """The last of so many streams behind one, and those of them that are no known task's."""
        ((_, last, streams),) = self._all(WALK, (after, limit))
        return last, streams

    def apart(self, streams: Sequence[UUID]) -> OtherStreams:
        """These streams and the rows that belong to them; all circuits where there are none."""
        with self._snapshot() as connection:
            return self.apart_on(connection, streams)

    def apart_on(self, connection: Connection, streams: Sequence[UUID]) -> OtherStreams:
        """The same as the connection's transaction sees it."""
        ((text,),) = _fetched(connection, CIRCUITS, ())
        circuits = streams_of(kept.circuit for kept in circuits_of(orjson.loads(text or "[]")))
        wanted = (UuidArray(streams or list(circuits)),)
        events = _fetched(connection, STREAMS, wanted)
        rows = _by_owner(_fetched(connection, TEMPLATES, wanted))
        return self._apart(streams or list(circuits), events, rows, circuits)

    def shards(self) -> Sequence[StoredShard]:
        """Every shard that there is to be and that has a row, in order."""
        found: list[StoredShard] = []
        with self._snapshot() as connection:
            for number, count, position, end in _fetched(connection, SHARDS, ()):
                after = max(0, min(position, end - LOOKED_BACK))
                ((decided,),) = _fetched(connection, DECIDED, (number, count, after, DECISIONS))
                found.append(StoredShard(number, count, position, end, decided or after))
        return found

    def missing_shards(self) -> Sequence[int]:
        """The numbers of shards whose row is gone."""
        return [number for (number,) in self._all("select flowledger.missing_shards()", ())]

    def facts_seen(self, shard: StoredShard) -> Sequence[tuple[int, UUID]]:
        """The facts about tasks in `shard.seen`, the first of them, each with its task."""
        after, until = shard.seen
        if after >= until:
            return []
        facts = self._all(FACTS, (shard.shard, shard.shards, after, LOOKED_BACK, TOPICS))
        return [(row[0], row[5]) for row in facts if row[0] <= until and row[5] is not None]

    def strays(self) -> Sequence[Difference]:
        """Rows that nothing in the log stands behind, and what no check lets in."""
        left = self._all(SUBMISSIONS, ())
        refused = [
            Difference(
                f"{relation} {key}", check, "kept", "broken", f"flowledger.{relation}", LET_IN
            )
            for relation, check, key in self._all(AGAINST, ())
        ]
        return [
            *(_stray(*row) for row in self._all(STRAYS, ())),
            *self._unreadable(left),
            *refused,
            *self._of_no_shard(),
            *self._misnumbered(),
        ]

    def _of_no_shard(self) -> Iterator[Difference]:
        rule = "the number of shards"
        for shard, field, expected, found in self._all(SHARD_ROWS, ()):
            yield Difference(f"shard {shard}", field, expected, found, SHARD_TABLE, rule)

    def _misnumbered(self) -> Iterator[Difference]:
        """Generations that serve by a number that no tables have."""
        for name, number, tables in self._all(MISNUMBERED, ()):
            if tables is None:
                place, source = "the table", "its projection"
                yield Difference(name, "tables", "there", f"none ({name}__{number})", place, source)
            else:
                place, source = "flowledger.projection", "the schemas of its tables"
                yield Difference(name, "generation", tables, number, place, source)

    def guards(self) -> Sequence[Difference]:
        """What is wrong with the log as a whole, and with what guards it."""
        rows = self._all("select * from flowledger.log_and_trigger_faults(%s)", (MOST_FAULTS,))
        return [
            Difference(subject, field, expected, found, place, "the rule for the log")
            for subject, field, expected, found, place in rows
        ]

    def _unreadable(self, left: Iterable[tuple[Any, ...]]) -> Iterator[Difference]:
        """Tasks that were left to the coordinator and cannot be taken on."""
        for task_id, topic, state in left:
            fault = f"a {topic}"
            try:
                event = self._mapper.event(task_id, 1, topic, state, task_id)
            except LogCorrupt as error:
                event, fault = None, f"not ({error})"
            if not isinstance(event, TaskCreated):
                place, rule = "flowledger.submission", "the rule for submissions"
                yield Difference(
                    "task", "submission", "a readable task.created", fault, place, rule, task_id
                )

    def miscounts(self) -> Sequence[Difference]:
        """Counters that differ from what they count."""
        return [
            Difference(counter, "count", counted, stored, f"flowledger.{relation}", "counting")
            for relation, counter, counted, stored in self._all(MISCOUNTS, ())
        ]

    def _apart(
        self,
        streams: Iterable[UUID],
        events: Iterable[tuple[Any, ...]],
        rows: defaultdict[UUID, defaultdict[str, list[Row]]],
        circuits: dict[UUID, Circuit],
    ) -> OtherStreams:
        log: dict[UUID, list[LogEntry]] = {stream: [] for stream in streams}
        for event in events:
            entry = self._entry(event)
            log[entry.stream].append(entry)
        return OtherStreams(
            streams=log,
            templates={key: its["template"][0] for key, its in rows.items() if its["template"]},
            template_steps={key: its["template_step"] for key, its in rows.items()},
            circuits=circuits,
        )

    def _entry(self, row: Sequence[Any]) -> LogEntry:
        position, stream, version, topic, state, task_id = row
        try:
            event = self._mapper.to_domain_event(
                StoredLogEvent(stream, version, topic, state, task_id)
            )
        except LogCorrupt as error:
            return LogEntry(position, stream, version, task_id, None, str(error))
        return LogEntry(position, stream, version, task_id, event)

    @contextmanager
    def _snapshot(self) -> Generator[Connection]:
        with translate_errors(), self._pool.connection() as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            yield connection

    def _all(self, query: Any, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return _fetched(connection, query, parameters)


def _fetched(
    connection: Connection, query: Any, parameters: Sequence[Any]
) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters, binary=True).fetchall()


def _identities(log: Iterable[LogEntry]) -> list[str]:
    created = (entry.event for entry in log if isinstance(entry.event, TaskCreated))
    return [event.identity for event in created if event.identity is not None]


def _by_owner(
    rows: Iterable[tuple[Any, ...]],
) -> defaultdict[UUID, defaultdict[str, list[Row]]]:
    found: defaultdict[UUID, defaultdict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for owner, relation, stored in rows:
        found[owner][relation].append(_row(orjson.loads(stored)))
    return found


def _row(stored: dict[str, Any]) -> Row:
    for name, value in stored.items():
        if value is None:
            continue
        if name in IDS:
            stored[name] = UUID(value)
        elif name in TIMES:
            stored[name] = time_in_json(value)
    return stored


def _stray(relation: str, task_id: UUID | None, step: str | None, stream: UUID) -> Difference:
    subject = f"step {step!r}" if task_id and step else f"{relation} {step or stream}"
    place, expected = f"flowledger.{relation}", "none"
    if relation == "submission":
        return Difference("task", "submission", expected, "a row", place, task_id=task_id)
    if relation == "parked_task":
        return Difference("task", "row", expected, "a row", place, task_id=task_id)
    return Difference(subject, "row", expected, f"a row ({stream})", place, task_id=task_id)
