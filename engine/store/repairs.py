"""Stores repaired rows: one transaction for each task, and one for each other part.

A transaction locks the rows in the common order, reads the log under these locks, stores the rows
that its caller derives from the log, and appends the event that records the repair. A fact that
arrived meanwhile is noticed under the log lock: then all is rolled back and done again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
from psycopg import Rollback
from psycopg.errors import UniqueViolation

from flowledger.engine.domain.limits.circuit_breaker import Circuit
from flowledger.engine.domain.limits.wait_queue import Waiter
from flowledger.engine.domain.verify.non_task_streams import OtherStreams
from flowledger.engine.domain.verify.repairable_differences import ApartRows, TaskRows
from flowledger.engine.domain.verify.shard_positions import MovedShard
from flowledger.engine.domain.verify.task import StoredTask
from flowledger.engine.errors import DatabaseBusy, StatementRefused
from flowledger.engine.events.base import Event
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Connection, Pool
from flowledger.engine.store.limit_json import circuit_fields, waiter_row
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.verification_store import PostgresVerificationStore

ATTEMPTS = 20
LOCK = "select flowledger.lock_task(%s)"
OUST = "select flowledger.make_shard_leaders_reload()"
REPAIR = (
    "select flowledger.repair_task("
    "%s::uuid, %s::bigint, %s::json, %s, %s, %s, %s, %s, %s::bigint[])"
)
TEMPLATE = "select flowledger.repair_template(%s, %s, %s, %s, %s, %s::jsonb, %s, %s)"
REVISIONS = (
    "select c.system, greatest(flowledger.bounded_count(c.revision), 0)"
    " from flowledger.circuit as c"
)
CIRCUITS = "select flowledger.store_circuits(%s::json)"
APPEND = "select flowledger.append_events(%s, %s, %s, %s, %s, %s::bigint[])"
POSITIONS = "select flowledger.repair_shard_positions(%s::int[], %s::bigint[], %s::bigint[])"
STRAYS = (
    "select flowledger.remove_orphan_rows(), flowledger.mend_circuits(),"
    " flowledger.mend_projections(), flowledger.forget_times_against_checks()"
)
SLOTS = "select flowledger.recount_slots(%s::text[])"


class PostgresRepairs:
    """Repairs in Postgres."""

    def __init__(
        self, pool: Pool, mapper: EventMapper, evidences: PostgresVerificationStore
    ) -> None:
        self._pool = pool
        self._mapper = mapper
        self._evidences = evidences

    def task(self, task_id: UUID, make: Callable[[StoredTask], TaskRows | None]) -> None:
        """Store what is made of the task's evidence, which nobody changes meanwhile.

        `make` may be called more than once. Raises DatabaseBusy where facts kept coming.
        """
        for _ in range(ATTEMPTS):
            if self._task(task_id, make):
                return
        raise DatabaseBusy(f"facts about task {task_id} kept coming while it was repaired")

    def _task(self, task_id: UUID, make: Callable[[StoredTask], TaskRows | None]) -> bool:
        stored = False
        with self._transaction() as connection:
            connection.execute(LOCK, (task_id,))
            (evidence,) = self._evidences.evidence_on(connection, [task_id])
            made = make(evidence)
            if made is None:
                stored = True
                raise Rollback
            seen = max((entry.position for entry in evidence.log), default=0)
            rows = orjson.dumps(_as_json(made.rows), default=str).decode()
            events = [made.event] if made.event else []
            columns = self._mapper.columns(events) if events else (None,) * 6
            found = connection.execute(REPAIR, (task_id, seen, rows, *columns)).fetchall()
            stored = bool(found[0][0])
            if not stored:
                raise Rollback
        return stored

    def apart(
        self, streams: Sequence[UUID], make: Callable[[OtherStreams], ApartRows | None]
    ) -> None:
        """Store what is made of these streams, and the rows that belong to them."""
        with self._transaction() as connection:
            connection.execute(OUST)
            made = make(self._evidences.apart_on(connection, streams))
            if made is None:
                raise Rollback
            for template_id, row, registered_at in made.templates:
                definition = orjson.dumps(row["definition"]).decode()
                names = [row[name] for name in ("namespace", "name", "version", "definition_hash")]
                connection.execute(
                    TEMPLATE, (template_id, *names, definition, row["paused"], registered_at)
                )
            self._store_circuits(connection, made.circuits)
            self._append(connection, made.event)

    def positions(self, moved: Sequence[MovedShard], event: Event) -> None:
        """Put shards where they should stand; those from behind the log look at all anew."""
        columns = zip(*((one.shard, one.position, one.implied) for one in moved), strict=True)
        self._all(POSITIONS, tuple(map(list, columns)), event)

    def shards(self, event: Event) -> None:
        """Mend rows of shards, and make those that are gone; their positions are set right then."""
        self._all("select flowledger.mend_shards(), flowledger.restore_missing_shards()", (), event)

    def strays(self, event: Event) -> None:
        """Remove rows that nothing in the log stands behind, but templates; mend others."""
        self._all(STRAYS, (), event)

    def slots(self, keys: Sequence[str], event: Event) -> None:
        """Count slots in use anew."""
        self._all(SLOTS, (list(keys),), event)

    def recount(self, event: Event) -> None:
        """Count tasks and steps anew."""
        with self._transaction() as connection:
            connection.execute("select flowledger.recount_states()")
            self._append(connection, event)

    def _all(self, query: Any, parameters: Sequence[Any], event: Event) -> None:
        with self._transaction() as connection:
            connection.execute(OUST)
            connection.execute(query, parameters)
            self._append(connection, event)

    def _store_circuits(self, connection: Connection, circuits: Sequence[Circuit]) -> None:
        if not circuits:
            return
        known: dict[str, int] = dict(connection.execute(REVISIONS).fetchall())
        rows = [
            {"system": one.system, "revision": known.get(one.system, 0), **circuit_fields(one)}
            for one in circuits
        ]
        connection.execute(CIRCUITS, (orjson.dumps(rows).decode(),))

    def _append(self, connection: Connection, event: Event) -> None:
        connection.execute(APPEND, self._mapper.columns([event]))

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        with (
            translate_errors(),
            _places_taken(),
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            connection.execute("set transaction isolation level read committed")
            yield connection


@contextmanager
def _places_taken() -> Generator[None]:
    """Nobody appends to the new streams of a repair: a key that is taken is that of an odd row."""
    try:
        yield
    except UniqueViolation as error:
        said = f"another row has its place: {error.diag.message_detail}"
        raise StatementRefused(said, str(error.sqlstate)) from error


def _as_json(rows: Mapping[str, Any]) -> dict[str, Any]:
    held: Sequence[Waiter] = rows.get("held", ())
    return {**rows, "held": [waiter_row(one) for one in held]} if held else dict(rows)
