"""The host's rows in Postgres, and the one transaction in which a batch is applied.

Protocol of a batch. The transaction takes the projection's role and search path, lends a cursor to
the methods, takes its own role back, moves the position by compare-and-swap and commits. Statements
are sent without waiting for their answers (libpq's pipeline mode), unless a single event is tried.
What is committed need not have reached the disk, since rows and position are lost together; where a
projection has effects outside, it does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from flowledger.engine.config import Settings
from flowledger.engine.errors import (
    DatabaseBusy,
    DatabaseUnavailable,
    ProjectionRefused,
    StatementRefused,
)
from flowledger.engine.store.connection.errors import sentence, translate_errors
from flowledger.engine.store.connection.open_connection import dial, with_keepalives
from flowledger.engine.store.connection.pool import (
    Connection,
    Pool,
    check,
    has_something_to_read,
    is_in_use,
    unavailable,
)
from flowledger.engine.store.connection.session import Session
from flowledger.projections.host.batch_statements import BEGIN, LEAVE, MOVE
from flowledger.projections.host.failure_from_exception import Failure
from flowledger.projections.host.generation_types import (
    Aside,
    Attendance,
    Generation,
    GenerationLease,
    LeaseRow,
    Parked,
)
from flowledger.projections.restricted_cursor import Cursor, HostConnection

HEARTBEAT = "select * from flowledger.heartbeat_projection_host(%s, %s, %s, %s, %s)"
RENEW = "select * from flowledger.renew_generation_leases(%s, %s)"
HEAD = "select max(notification_id) from flowledger.event"
LEASES = "select * from flowledger.generation_leases()"
LEAD = """
    select p.name, p.generation, l.*
    from unnest(%s::text[], %s::integer[], %s::text[]) as p (name, generation, code)
    cross join lateral
        flowledger.acquire_generation_lease(p.name, p.generation, %s, %s, p.code) as l
"""
READ_ONLY = "25006"
NO_FAILURE = Failure("")
PARK: LiteralString = (
    "select flowledger.park_events(%s, %s, %s::bigint[], %s::uuid[], %s::text[], %s::text[])"
)


@dataclass(frozen=True, slots=True)
class ProjectionBatch:
    """A transaction of a projection: the cursor of its methods, and what becomes of events.

    `parked` are events to park; `settled` are the positions of parked ones that are done
    with.
    """

    cursor: Cursor
    parked: list[Aside] = field(default_factory=list[Aside])
    settled: list[int] = field(default_factory=list[int])


class HostStore:
    """What the host reads and writes. Methods raise DatabaseUnavailable, and what they say."""

    def __init__(self, url: str, pool: Pool, settings: Settings) -> None:
        check(url)
        self._pool = pool
        self._url = with_keepalives(url, settings.database.tcp_keepalive_seconds)
        self._database = settings.database
        self._settings = settings.projections
        self._framed: dict[tuple[Generation, bool], tuple[str, str]] = {}
        self._connections: list[HostConnection] = []
        self._idle: list[HostConnection] = []

    def attend(self, host: UUID, runs: str, every: float, *, fresh: bool) -> Attendance:
        """Say that the host is there for a lease, and renew the leases that it has.

        `every`: so many seconds until it asks again. Not `fresh`: what another role of the process
        was told will do. Where the row of a generation refuses that, no lease is renewed.
        """
        lease = self._settings.lease_seconds
        row = (host, socket.gethostname(), os.getpid(), lease, runs)

        def ask(connection: Session, *, renews: bool = True) -> Attendance:
            live = connection.execute(HEARTBEAT, row, binary=True).fetchall()
            own = (host, lease)
            held = connection.execute(RENEW, own, binary=True).fetchall() if renews else ()
            leases = connection.execute(LEASES, binary=True).fetchall()
            ((head,),) = connection.execute(HEAD, binary=True).fetchall()
            return Attendance(
                [host for (host,) in live],
                [LeaseRow(Generation(*row[:2]), *row[2:]) for row in leases],
                {Generation(*row[:2]): GenerationLease(*row[2:]) for row in held},
                head or 0,
            )

        beat = partial(self._pool.pulse.beat, _role(host), every=every, fresh=fresh)
        try:
            found, age = beat(ask)
        except StatementRefused:
            found, age = beat(partial(ask, renews=False))
        return found.aged(age) if age else found

    def deregister(self, host: UUID) -> None:
        """The host is not there any more."""
        self._pool.pulse.leave(_role(host))
        self._all("select flowledger.deregister_projection_host(%s)", (host,))

    def create(
        self, name: str, version: int, tables: str, *, own_role: bool, code: str | None = None
    ) -> int | None:
        """Make the tables of a version, noting its code; None where a later one is there.

        Raises ProjectionRefused where the server does not let it, or refuses the tables.
        """
        query = "select flowledger.create_generation(%s, %s, %s, false, %s, %s)"
        try:
            ((generation,),) = self._all(query, (name, version, tables, own_role, code))
        except (psycopg.Error, StatementRefused) as error:
            raise refused(name, error) from error
        return None if generation is None else int(generation)

    def lead(
        self, places: Sequence[Generation], host: UUID, codes: Mapping[str, str | None]
    ) -> dict[Generation, GenerationLease]:
        """Become or stay the leader of generations, by such code; without those that others lead.

        Raises StatementRefused, perhaps for one of them only.
        """
        if not places:
            return {}
        columns = zip(*((*_key(one), codes.get(one.name)) for one in places), strict=True)
        rows = self._all(LEAD, (*map(list, columns), host, self._settings.lease_seconds))
        return {Generation(row[0], row[1]): GenerationLease(*row[2:]) for row in rows}

    def end_others(self, place: Generation, epoch: int) -> None:
        """End the sessions of former leaders that are in the middle of a batch."""
        self._all("select flowledger.terminate_stale_batches(%s, %s, %s)", (*_key(place), epoch))

    def resign(self, place: Generation, epoch: int) -> None:
        """Let another lead at once."""
        self._all("select flowledger.release_generation_lease(%s, %s, %s)", (*_key(place), epoch))

    def swap(self, place: Generation, epoch: int) -> bool:
        """Let a generation serve; False where it has not come as far as the one that does.

        Raises LeadershipLost, and ProjectionRefused where a view cannot change.
        """
        query = "select flowledger.promote_generation(%s, %s, %s)"
        try:
            ((swapped,),) = self._all(query, (*_key(place), epoch))
        except (psycopg.Error, StatementRefused) as error:
            raise refused(place.name, error) from error
        return bool(swapped)

    def drop_retired(self, name: str) -> int:
        """Drop the tables of retired generations; how many were."""
        ((dropped,),) = self._all("select flowledger.drop_retired_generations(%s)", (name,))
        return int(dropped)

    def failed(self, place: Generation, epoch: int, position: int, failure: Failure) -> None:
        """Note that the generation cannot take the event at this position."""
        query = "select flowledger.record_failed_event(%s, %s, %s, %s, %s, %s)"
        self._all(query, (*_key(place), epoch, position, *failure))

    def parked(self, place: Generation) -> Sequence[Parked]:
        """The parked events, in order."""
        query = "select * from flowledger.unresolved_parked_events(%s, %s)"
        return [Parked(*row) for row in self._all(query, _key(place))]

    def aside(self, place: Generation) -> frozenset[int]:
        """The positions of all events that are not in the rows although they are behind."""
        query = "select flowledger.unapplied_event_positions(%s, %s)"
        return frozenset(position for (position,) in self._all(query, _key(place)))

    def failed_again(self, place: Generation, position: int, failure: Failure) -> None:
        """Note that a parked event failed again."""
        with translate_errors(), self._pool.connection() as connection:
            self._settle(connection, place, (), (position,), failure)

    def _settle(
        self,
        connection: Connection,
        place: Generation,
        done: Sequence[int],
        failed: Sequence[int] = (),
        failure: Failure = NO_FAILURE,
    ) -> None:
        connection.execute(
            "select flowledger.record_parked_outcomes(%s, %s, %s::bigint[], %s::bigint[], %s, %s)",
            (*_key(place), list(done), list(failed), *failure),
        )

    def serving(self, name: str) -> int | None:
        """Where the serving generation of a projection is; None: none serves."""
        ((position,),) = self._all("select flowledger.serving_position(%s)", (name,))
        return None if position is None else int(position)

    def next_rebuild(self, name: str) -> tuple[int, list[UUID]] | None:
        """The oldest rebuild that is asked for, with its next tasks; none left: it is done."""
        limit = self._settings.rebuild_tasks
        rows = self._all("select * from flowledger.next_task_rebuild(%s, %s)", (name, limit))
        return (rows[0][0], list(rows[0][1])) if rows else None

    def advance_rebuild(
        self, rebuild: int, after: UUID | None, tasks: int, error: str | None = None
    ) -> None:
        """Note how far it is; done where there is no last task, failed where there is an error."""
        query = "select flowledger.advance_task_rebuild(%s, %s, %s, %s)"
        self._all(query, (rebuild, after, tasks, error))

    def connect(self) -> bool:
        """Have the connections for the batches; whether they are new ones. Between batches only.

        Then the server may have lost what was read or stored before. Raises DatabaseBusy where the
        database is read-only.
        """
        if self._connections and all(map(_is_well, self._connections)):
            return False
        self.close()
        try:
            while len(self._connections) < self._settings.connections:
                self._connections.append(self._new_connection())
        except (psycopg.Error, DatabaseBusy) as error:
            self.close()
            if isinstance(error, DatabaseBusy):
                raise
            raise unavailable(self._url, error) from error
        self._idle = [*self._connections]
        return True

    def _new_connection(self) -> HostConnection:
        connection = dial(
            self._url,
            HostConnection,
            timeout_seconds=self._database.connect_timeout_seconds,
            application_name=self._database.application_name,
        )
        if connection.is_read_only():
            connection.close()
            raise DatabaseBusy("the database refuses this for now: it is read-only", READ_ONLY)
        return connection

    @property
    def is_connected(self) -> bool:
        """Whether no connection for batches was lost since `connect`."""
        return not any(connection.closed for connection in self._connections)

    @contextmanager
    def batch(
        self,
        place: Generation,
        lead: GenerationLease,
        until: int,
        *,
        durable: bool = False,
        pipeline: bool = True,
    ) -> Generator[ProjectionBatch]:
        """Within the block, a cursor for the projection's methods; then all is committed.

        The position moves from the lead's to `until`. Into the list go the events
        to park, and `settled` ones are those an operator asked for.
        Raises LeadershipLost, what the methods raise, and what the server says of their statements;
        then nothing is stored.
        """
        begin, move = self._frame(place, durable=durable)
        with self._lent() as connection:
            connection.execute(begin.encode(), prepare=False)
            with (
                connection.pipeline() if pipeline else nullcontext(),
                connection.lend(place.name) as cursor,
            ):
                batch = ProjectionBatch(cursor)
                yield batch
            if is_in_use(connection):
                raise RuntimeError("a copy or a stream was left open on the cursor")
            with translate_errors():
                self._put_aside(connection, place, batch)
                numbers = {"epoch": lead.epoch, "old": lead.position, "new": until}
                connection.execute(move.format(**numbers).encode(), prepare=False)

    def close(self) -> None:
        """Close the connections that batches are applied on."""
        for connection in self._connections:
            psycopg.Connection.close(connection)
        self._connections, self._idle = [], []

    def _frame(self, place: Generation, *, durable: bool) -> tuple[str, str]:
        """The statements before and behind a batch; to compose them took a tenth of its time."""
        framed = self._framed.get((place, durable))
        if framed is None:
            ((role,),) = self._all("select flowledger.generation_writer_role(%s, %s)", _key(place))
            begin = sql.SQL(BEGIN).format(
                durable=sql.Literal("on" if durable else "off"),
                lock=sql.Literal(_milliseconds(self._settings.lock_timeout_seconds)),
                statement=sql.Literal(_milliseconds(self._settings.statement_timeout_seconds)),
                schema=sql.Identifier(place.schema),
                # The engine's own models look up rows by their keys, in tables that grow quickly.
                scans=sql.SQL("off" if role is None else "default"),
                role=sql.SQL("none") if role is None else sql.Identifier(role),
            )
            kept = "" if role is None else "select flowledger.refuse_session_role_switch({role});"
            move = sql.SQL(f"{LEAVE};{kept}{MOVE}").format(
                role=role, name=place.name, generation=place.generation
            )
            framed = begin.as_string(), move.as_string()
            self._framed[place, durable] = framed
        return framed

    def _put_aside(
        self, connection: HostConnection, place: Generation, batch: ProjectionBatch
    ) -> None:
        if batch.parked or batch.settled:
            connection.execute(LEAVE, prepare=False)
        if batch.parked:
            rows = [(one.position, one.task_id, *one.failure) for one in batch.parked]
            columns = [list(column) for column in zip(*rows, strict=True)]
            connection.execute(PARK, (*_key(place), *columns))
        if batch.settled:
            self._settle(connection, place, batch.settled)

    @contextmanager
    def _lent(self) -> Generator[HostConnection]:
        """What is applied was read while this connection was there, so the server has it still."""
        connection = self._idle.pop() if self._idle else None
        if connection is None or connection.closed:
            raise DatabaseUnavailable("the connection of the projections was cut off")
        try:
            yield connection
        except BaseException:
            self._leave(connection)
            raise
        finally:
            if type(connection) is not HostConnection:  # a method made another class of it
                connection.pgconn.finish()
            self._idle.append(connection)

    def _leave(self, connection: HostConnection) -> None:
        """Nothing of the transaction stays; a connection that cannot say so is closed.

        So is one that is read-only, as it may stay so for as long as it is open.
        """
        with suppress(psycopg.Error):
            if type(connection) is HostConnection and not is_in_use(connection):
                connection.rollback()
                if not connection.is_read_only():
                    return
        with suppress(psycopg.Error):
            connection.close()

    def _all(self, query: Any, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()


def _is_well(connection: HostConnection) -> bool:
    ours = type(connection) is HostConnection
    return ours and not connection.closed and not has_something_to_read(connection)


def refused(name: str, error: psycopg.Error | StatementRefused) -> ProjectionRefused:
    """What the server said of a projection's tables or views."""
    said = sentence(error) if isinstance(error, psycopg.Error) else str(error)
    return ProjectionRefused(f"projection {name!r}: {said}")


def _role(host: UUID) -> str:
    return f"projector {host}"


def _key(place: Generation) -> tuple[str, int]:
    return place.name, place.generation


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
