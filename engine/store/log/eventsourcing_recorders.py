"""The `eventsourcing` library's recorders, on this project's tables, log lock and pool.

ADR 0006 says what differs from the library's own recorders, and why: the order of the log is kept
by the lock of a view instead of the table's; lock and insert are one round trip; nothing is retried
here, because an insert that is repeated after its answer was lost would look like a conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent, Tracking
from eventsourcing.postgres import (
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresTrackingRecorder,
)
from psycopg import Cursor
from psycopg.rows import tuple_row

from flowledger.engine.store.connection.arrays import BigintArray, ByteaArray, TextArray, UuidArray
from flowledger.engine.store.connection.hurried import Sessions
from flowledger.engine.store.log.event_mapper import StoredLogEvent

SCHEMA = "flowledger"
LAST = 2**63 - 1
"""No position is beyond it."""

EventArrays = tuple[UuidArray, BigintArray, TextArray, ByteaArray, UuidArray, BigintArray]


LogRow: TypeAlias = tuple[int, UUID, int, str, bytes, UUID | None, datetime]
"""A row of the log: position, stream, version, topic, payload, task, when it was recorded.

What it says is decoded when somebody wants it.
"""


@dataclass(frozen=True)
class LedgerNotification(Notification):
    """An event of the log with this project's columns."""

    task_id: UUID | None
    recorded_at: datetime


def event_arrays(events: Sequence[StoredEvent]) -> EventArrays:
    """The columns of the events, for the functions that append."""
    return (
        UuidArray([_uuid(event.originator_id) for event in events]),
        BigintArray([event.originator_version for event in events]),
        TextArray([event.topic for event in events]),
        ByteaArray([event.state for event in events]),
        UuidArray([getattr(event, "task_id", None) for event in events]),
        BigintArray([getattr(event, "encoding", 0) for event in events]),
    )


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


class LedgerDatastore(PostgresDatastore):
    """The library's datastore on the engine's pool. Opens nothing, creates nothing."""

    def __init__(self, pool: Sessions) -> None:
        self._own = pool
        self.pool = pool  # type: ignore[assignment]  # the library's subclass adds nothing we use
        self.schema = SCHEMA
        self.originator_id_type = "uuid"
        self.single_row_tracking = True
        self.enable_db_functions = False
        self.lock_timeout = 0
        self.pool_open_timeout = None
        self.db_type_names = set[str]()
        self.psycopg_type_adapters = {}
        self.psycopg_python_types = {}

    @property
    def has_room(self) -> bool:
        """Whether there is a connection for a borrower now."""
        return self._own.has_room

    def register_type_adapters(self) -> None:
        """There are none: events travel as arrays."""

    def close(self) -> None:
        """The pool belongs to whoever opened it."""


class LedgerRecorder(PostgresApplicationRecorder):
    """Appends to the log and reads it. Raises the library's errors."""

    datastore: LedgerDatastore

    def __init__(self, datastore: LedgerDatastore) -> None:
        super().__init__(datastore, events_table_name="event")
        self.channel_name = "flowledger.log"

    def create_table(self) -> None:
        """The tables come with the migrations."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append all events or none, in one transaction with what the library's hook writes."""
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            self._insert_events(cursor, stored_events, **kwargs)
            return self._append(cursor, stored_events)

    def _append(self, cursor: Cursor[Any], stored_events: Sequence[StoredEvent]) -> list[int]:
        if not stored_events:
            return []
        cursor.execute(
            "select flowledger.append_events(%b, %b, %b, %b, %b, %b)", event_arrays(stored_events)
        )
        positions = [position for (position,) in map(tuple, cursor)]
        # Only who uses the library's recorder subscribes in the library's way.
        cursor.execute("select pg_notify(%s, '')", (self.channel_name,))
        return positions

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One stream's events between two versions."""
        with self.datastore.get_connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            cursor.execute(BACKWARD if desc else FORWARD, (originator_id, gt, gt, lte, lte, limit))
            return [StoredLogEvent(*row) for row in cursor.fetchall()]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[LedgerNotification]:
        """The log's events between two positions, in order, of these topics or of all."""
        after = -1 if start is None else start - inclusive_of_start
        last = LAST if stop is None else stop
        return [_notification(row) for row in self.rows(after, limit, last, topics)]

    def rows(
        self, after: int, limit: int, until: int, topics: Sequence[str] = ()
    ) -> Sequence[LogRow]:
        """Rows of the log behind a position and up to another, of these topics or of all."""
        with self.datastore.get_connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            if topics:
                cursor.execute(LOG_OF_TOPICS, (after, until, TextArray(topics), limit))
            else:
                cursor.execute(LOG, (after, until, limit))
            return cursor.fetchall()

    def rows_of_task(self, task_id: UUID) -> Sequence[LogRow]:
        """The whole history of a task, in log order."""
        with self.datastore.get_connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            cursor.execute(LOG_OF_TASK, (task_id,))
            return cursor.fetchall()

    def max_notification_id(self) -> int | None:
        """The last position; None where nothing has happened."""
        with self.datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            cursor.execute("select max(notification_id) from flowledger.event")
            row = cursor.fetchone()
            return row[0] if row else None


FORWARD: LiteralString = """
    select originator_id, originator_version, topic, state, task_id from flowledger.event
    where originator_id = %s
        and (%s::bigint is null or originator_version > %s)
        and (%s::bigint is null or originator_version <= %s)
    order by originator_version limit %s
"""

BACKWARD: LiteralString = FORWARD.replace(
    "originator_version limit", "originator_version desc limit"
)

LOG: LiteralString = """
    select notification_id, originator_id, originator_version, topic, state, task_id, recorded_at
    from flowledger.event
    where notification_id > %s and notification_id <= %s
    order by notification_id limit %s
"""

LOG_OF_TASK: LiteralString = """
    select notification_id, originator_id, originator_version, topic, state, task_id, recorded_at
    from flowledger.task_events(%s)
"""

LOG_OF_TOPICS: LiteralString = LOG.replace("order by", "and topic = any(%b) order by")


def _notification(row: LogRow) -> LedgerNotification:
    position, stream, version, topic, state, task_id, recorded_at = row
    return LedgerNotification(stream, version, topic, state, position, task_id, recorded_at)


class LedgerTrackingRecorder(PostgresTrackingRecorder):
    """Positions of followers; a position only ever grows."""

    def __init__(self, datastore: LedgerDatastore) -> None:
        super().__init__(datastore, tracking_table_name="tracking")

    def create_table(self) -> None:
        """The tables come with the migrations."""

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move a follower's position on. Raises IntegrityError where it would not grow."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        """A follower's position; None where it has none."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            return self._max_tracking_id(application_name, cursor)

    def has_tracking_id(self, application_name: str, notification_id: int | None) -> bool:
        """Whether a follower's position is as far."""
        position = self.max_tracking_id(application_name)
        return notification_id is None or (position is not None and position >= notification_id)

    def _max_tracking_id(self, application_name: str, curs: Cursor[Any]) -> int | None:
        curs.execute(self.max_tracking_id_statement, (application_name,))
        row = curs.fetchone()
        return row[0] if row else None
