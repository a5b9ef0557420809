"""Verifies projections: builds each once more from the log, and compares the rows.

All of it is one transaction that is rolled back. It sees the rows of the serving generation at one
position, applies the events up to that position to tables in a schema that nobody else ever sees,
and compares the rows both ways.

A projection that serves and whose code is not here, or is here in another version, is named. So is
each where the database is read-only: there nothing is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql

from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.events.base import Recorded
from flowledger.engine.ports.verification import Finding, NotCompared, VerifyProgress
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.open_connection import dial
from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.eventsourcing_recorders import LedgerDatastore, LedgerRecorder
from flowledger.engine.store.schema.table_parts import other_parts, parts_of
from flowledger.projections.dispatch import Dispatcher
from flowledger.projections.host.generation_types import Generation
from flowledger.projections.host.log_reader import LogEntry
from flowledger.projections.projection import PLACE, Projection
from flowledger.projections.restricted_cursor import HostConnection

EVENTS_AT_ONCE = 2_000
MOST_SHOWN = 100
"""Differences that are told of one table; there may be more."""

BEGIN = "begin isolation level repeatable read"
MAY_CREATE = "select has_database_privilege(current_database(), 'create')"
READ_ONLY = "select current_setting('transaction_read_only')::boolean"
"""That of a session, of a database, and of a standby."""

TEMPORARY = "select nspname from pg_namespace where oid = pg_my_temp_schema()"
SERVING = """
    select name, version from flowledger.projection_status() where state = 'serving' order by name
"""
PARTS_OF_BOTH = """
    select s.name, p.* from unnest(%s::text[]) as s (name)
    cross join lateral flowledger.parts_of_tables(s.name) as p
"""
COLUMNS = """
    select attname, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
"""
THERE = "select to_regnamespace(quote_ident(%s)) is not null"


@dataclass(frozen=True, slots=True)
class ServingGeneration:
    """The generation that serves, how far it is, and what is not in its rows all the same."""

    place: Generation
    version: int
    position: int
    aside: frozenset[int]


class ProjectionCheck:
    """The rows of projections against the rows that the log would make now."""

    name = "projections"

    def __init__(
        self, projections: Sequence[Projection], url: str, pool: Pool, mapper: EventMapper
    ) -> None:
        self._projections = projections
        self._url = url
        self._pool = pool
        self._mapper = mapper
        self._recorder = LedgerRecorder(LedgerDatastore(pool))

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """The differences of all rows, or with a task of those that have its `task_id`."""
        with translate_errors():
            with self._pool.connection() as connection:
                rows = connection.execute(SERVING).fetchall()
            serving: dict[str, int] = dict(rows)
            yield from _not_here(serving, {one.name: one.version for one in self._projections})
            here = [one for one in self._projections if serving.get(one.name) == one.version]
            if here:
                yield from self._rebuilt(here, task)

    def _rebuilt(self, projections: Sequence[Projection], task: UUID | None) -> Iterator[Finding]:
        with dial(self._url, HostConnection) as connection:
            for projection in projections:
                connection.execute(BEGIN)
                yield from self._checked(connection, projection, task)
                connection.execute("rollback")

    def _checked(
        self, connection: HostConnection, projection: Projection, task: UUID | None
    ) -> Iterator[Finding]:
        standing = _standing(connection, projection)
        if standing is None:
            return
        if connection.execute(READ_ONLY).fetchall() == [(True,)]:
            why = "the database is read-only, and its tables would have to be made a second time"
            yield NotCompared(projection.name, why)
            return
        place = standing.place.schema
        if connection.execute(THERE, (place,)).fetchall() != [(True,)]:
            yield NotCompared(projection.name, f"the schema {place} of its tables is not there")
            return
        schema = _schema(connection)
        name = sql.Identifier(schema)
        tables = projection.tables.replace(PLACE, name.as_string(connection))
        connection.execute(tables.encode())
        if task is None:
            yield from _other_tables(connection, standing, schema)
        connection.execute(sql.SQL("set local search_path = {}, pg_temp").format(name))
        for _ in self._apply(connection, projection, standing, task):
            yield VerifyProgress()
        for table in _tables(connection, schema):
            yield from _compared(connection, standing, schema, table, task)

    def _apply(
        self,
        connection: HostConnection,
        projection: Projection,
        standing: ServingGeneration,
        task: UUID | None,
    ) -> Iterator[int]:
        applying = Dispatcher(projection)
        for entries in self._entries(applying, standing, task):
            # What cannot be read is named where the task's log is looked at.
            reads = [
                read
                for entry in entries
                if entry.position not in standing.aside and isinstance(read := entry.read, Recorded)
            ]
            with connection.pipeline(), connection.lend(projection.name) as cursor:
                applying.apply(reads, cursor, None)
            yield len(entries)

    def _entries(
        self, applying: Dispatcher, standing: ServingGeneration, task: UUID | None
    ) -> Iterator[list[LogEntry]]:
        topics = applying.routes.topics
        if task is not None:
            rows = self._recorder.rows_of_task(task)
            entries = [LogEntry(row, self._mapper) for row in rows]
            yield [
                entry
                for entry in entries
                if entry.position <= standing.position and entry.topic in topics
            ]
            return
        after = 0
        while after < standing.position:
            rows = self._recorder.rows(after, EVENTS_AT_ONCE, standing.position, sorted(topics))
            yield [LogEntry(row, self._mapper) for row in rows]
            after = rows[-1][0] if len(rows) == EVENTS_AT_ONCE else standing.position


def _not_here(serving: dict[str, int], known: dict[str, int]) -> Iterator[NotCompared]:
    """What serves and cannot be built here."""
    for name, version in serving.items():
        here = known.get(name)
        if here is None:
            why = "its code is not known here (see projections.classes)"
            yield NotCompared(name, why)
        elif here != version:
            yield NotCompared(name, f"version {version} serves and the code here is version {here}")


def _standing(connection: HostConnection, projection: Projection) -> ServingGeneration | None:
    """None where no generation of that version serves: there is nothing to compare with."""
    rows = connection.execute(
        "select * from flowledger.serving_generation(%s)", (projection.name,)
    ).fetchall()
    if not rows or rows[0][1] != projection.version:
        return None
    generation, version, position = rows[0]
    aside = connection.execute(
        "select flowledger.unapplied_event_positions(%s, %s)", (projection.name, generation)
    ).fetchall()
    place = Generation(projection.name, generation)
    return ServingGeneration(place, version, position, frozenset(row[0] for row in aside))


def _schema(connection: HostConnection) -> str:
    """A new schema, or that of temporary tables for a login that may not make one."""
    ((may,),) = connection.execute(MAY_CREATE).fetchall()
    if not may:
        connection.execute("create temporary table of_verify () on commit drop")
        connection.execute("drop table of_verify")
        ((schema,),) = connection.execute(TEMPORARY).fetchall()
        return str(schema)
    schema = f"verify_{uuid4().hex}"
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    return schema


def _other_tables(
    connection: HostConnection, standing: ServingGeneration, schema: str
) -> Iterator[Difference]:
    """Where the tables themselves are not as the projection makes them."""
    both = schema, standing.place.schema
    rows = connection.execute(PARTS_OF_BOTH, (list(both),)).fetchall()
    made, stored = (parts_of(row[1:] for row in rows if row[0] == its) for its in both)
    for subject, expected, found in other_parts(made, stored):
        named = f"{standing.place.name}: {subject}"
        yield Difference(named, "definition", expected, found, "the table", "its projection")


def _tables(connection: HostConnection, schema: str) -> list[str]:
    query = "select tablename from pg_tables where schemaname = %s order by 1"
    return [row[0] for row in connection.execute(query, (schema,)).fetchall()]


def _compared(
    connection: HostConnection,
    standing: ServingGeneration,
    schema: str,
    table: str,
    task: UUID | None,
) -> Iterator[Finding]:
    made = sql.Identifier(schema, table)
    stored = sql.Identifier(standing.place.schema, table)
    columns = _columns(connection, made)
    if columns != _columns(connection, stored):
        why = f"its table {table} is not as it makes it"
        yield NotCompared(standing.place.name, why)
        return
    if task is not None and "task_id" not in columns:
        return
    where = sql.SQL("true") if task is None else sql.SQL("task_id = {}").format(task)
    both = sql.SQL(
        "select * from (select * from {} where {where} except all select * from {} where {where})"
        " as d limit {most}"
    )
    for left, right, lacks in ((made, stored, True), (stored, made, False)):
        query = both.format(left, right, where=where, most=MOST_SHOWN)
        for row in connection.execute(query).fetchall():
            yield _difference(standing, table, dict(zip(columns, row, strict=True)), lacks=lacks)


def _columns(connection: HostConnection, table: sql.Identifier) -> dict[str, str]:
    """The types of the columns by their names, in order; none where there is no table."""
    return dict(connection.execute(COLUMNS, (table.as_string(connection),)).fetchall())


def _difference(
    standing: ServingGeneration, table: str, row: dict[str, Any], *, lacks: bool
) -> Difference:
    said = ", ".join(f"{name}={value!s}" for name, value in row.items() if value is not None)
    task = row.get("task_id")
    subject = f"{standing.place.name}.{table} at position {standing.position}"
    return Difference(
        subject,
        "a row",
        said if lacks else "none",
        "none" if lacks else said,
        "the table",
        "the log",
        task if isinstance(task, UUID) else None,
    )
