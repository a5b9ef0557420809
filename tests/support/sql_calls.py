"""The SQL functions as tests call them: rows of the log, the queue and the read models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from time import monotonic
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from flowledger.engine.domain.deterministic_ids import milliseconds, step_id, uuid7
from flowledger.engine.store.connection.arrays import BigintArray, ByteaArray, TextArray, UuidArray
from support.builders import NOON

Connection = psycopg.Connection[TupleRow]

PATIENCE = 30.0
"""Seconds that a test waits at most for another session; far more than it takes."""

_randoms = count(1 << 40)


def new_id() -> UUID:
    """A task's id, or any other."""
    return uuid7(milliseconds(NOON), next(_randoms))


@dataclass(frozen=True)
class Row:
    """An event to append."""

    stream: UUID
    version: int = 1
    topic: str = "step.started"
    state: bytes = b"{}"
    task: UUID | None = None
    encoding: int = 0

    def at(self, version: int, **changed: Any) -> Row:
        """The same with another version."""
        return replace(self, version=version, **changed)


def columns(rows: Sequence[Row]) -> tuple[Any, ...]:
    """The rows as the functions that append take them."""
    return (
        UuidArray([row.stream for row in rows]),
        BigintArray([row.version for row in rows]),
        TextArray([row.topic for row in rows]),
        ByteaArray([row.state for row in rows]),
        UuidArray([row.task for row in rows]),
        BigintArray([row.encoding for row in rows]),
    )


def call(connection: Connection, function: str, *arguments: Any) -> list[Any]:
    """The rows that a function of the schema returns; single columns without their tuples."""
    return _call(connection, "flowledger", function, arguments)


def call_public(connection: Connection, function: str, *arguments: Any) -> list[Any]:
    """As `call`, of the public schema."""
    return _call(connection, "flowledger_v1", function, arguments)


def _call(connection: Connection, schema: str, function: str, arguments: Any) -> list[Any]:
    query = sql.SQL("select * from {}({})").format(
        sql.Identifier(schema, function), sql.SQL(", ").join([sql.Placeholder()] * len(arguments))
    )
    rows = connection.execute(query, arguments).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def append(connection: Connection, *rows: Row) -> list[int]:
    """Append rows; their positions."""
    return call(connection, "append_events", *columns(rows))


def log(connection: Connection) -> list[tuple[UUID, int]]:
    """Stream and version of everything in the log, in order."""
    return connection.execute(
        "select originator_id, originator_version from flowledger.event order by notification_id"
    ).fetchall()  # type: ignore[return-value]


def table(connection: Connection, name: str, *fields: str) -> list[Any]:
    """The fields of a table's rows, sorted; single columns without their tuples."""
    query = sql.SQL("select {} from flowledger.{}").format(
        sql.SQL(", ").join(map(sql.Identifier, fields)), sql.Identifier(name)
    )
    rows = sorted(connection.execute(query).fetchall(), key=repr)
    return [row[0] if len(row) == 1 else row for row in rows]


def table_columns(connection: Connection, name: str) -> list[str]:
    """The columns of a table, in their order."""
    cursor = connection.execute(
        sql.SQL("select * from flowledger.{} limit 0").format(sql.Identifier(name))
    )
    return [column.name for column in cursor.description or ()]


def state_counts(connection: Connection) -> dict[str, int]:
    """What is counted of tasks and steps, over all shards; what is 0 is left out."""
    names = [name for name in table_columns(connection, "state_count") if name != "shard"]
    sums = [sum(column) for column in zip(*table(connection, "state_count", *names), strict=True)]
    return {name: int(counted) for name, counted in zip(names, sums, strict=True) if counted}


def rows_of(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as the functions that store them take them."""
    return orjson.dumps(list(rows)).decode()


def queue_row(task: UUID, template: UUID, name: str = "a", /, **changed: Any) -> dict[str, Any]:
    """A row for the queue."""
    row = {
        "step_id": step_id(task, name),
        "task_id": task,
        "template_id": template,
        "version": 1,
        "sort_key": 0.0,
        "attempt": 1,
        "resets": 0,
        "exclusive": False,
        "step": name,
        "correlation": None,
    }
    return {**row, **changed}


def queue(connection: Connection, *rows: dict[str, Any]) -> None:
    """Put rows into the queue."""
    call(connection, "enqueue_steps", rows_of(rows))


def park(connection: Connection, task: UUID) -> None:
    """Have a task left alone."""
    connection.execute(
        "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
        " values (%s, 'a bug', now(), now())",
        (task,),
    )


def drop(connection: Connection, step: UUID) -> None:
    """Take a step out of the queue."""
    connection.execute("delete from flowledger.queue where step_id = %s", (step,))


def step_row(task: UUID, name: str = "a", **changed: Any) -> dict[str, Any]:
    """A row of the step readiness."""
    row = {"task_id": task, "step": name, "state": "enqueued", "attempt": 0, "version": 1}
    return {**row, "due_at": None, **changed}


def task_row(task: UUID, template: UUID, /, **changed: Any) -> dict[str, Any]:
    """A row of the tasks."""
    row = {
        "task_id": task,
        "template_id": template,
        "namespace": "shop",
        "template": "order",
        "version": "1",
        "state": "in_progress",
        "stream_version": 2,
        "paused": False,
        "priority": 0,
        "correlation": None,
        "created_at": NOON,
        "ended_at": None,
    }
    return {**row, **changed}


def timer_row(task: UUID, due_at: datetime, name: str = "a", kind: str = "retry") -> dict[str, Any]:
    """A row of the timers."""
    return {
        "step_id": step_id(task, name),
        "task_id": task,
        "step": name,
        "kind": kind,
        "due_at": due_at,
    }


def now(connection: Connection) -> datetime:
    """The engine's time."""
    found: datetime = call(connection, "clock")[0]
    return found


def renew(connection: Connection, worker: UUID, seconds: float) -> None:
    """Register a worker, or renew its lease."""
    call(connection, "heartbeat_worker", worker, "host", 1, seconds)


def claim(connection: Connection, worker: UUID, *arguments: Any) -> list[Any]:
    """The rows that `claim_steps` gives to the worker, which gets a lease where it has none."""
    if worker not in table(connection, "worker", "worker_id"):
        renew(connection, worker, 36_000)
    return call(connection, "claim_steps", worker, *arguments)


def heard(connection: Connection, channel: str, told: Connection, *statement: Any) -> list[str]:
    """What is notified on the channel when `told` calls a function."""
    name = f"flowledger.{channel}"
    connection.execute(sql.SQL("listen {}").format(sql.Identifier(name)))
    call(told, *statement)
    told.execute("select pg_notify(%s, 'the end')", (name,))
    found: list[str] = []
    while "the end" not in found:
        found += [n.payload for n in connection.notifies(timeout=PATIENCE, stop_after=1)]
    return found[:-1]


class Others:
    """Connections that work beside the test's, each statement in a thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._threads = ThreadPoolExecutor(4)

    def begin(self) -> Connection:
        """A connection with an open transaction; close it."""
        return psycopg.connect(self._url)

    def later(self, function: str, *arguments: Any) -> Future[list[Any]]:
        """A call that may have to wait; its rows when it is through."""

        def run() -> list[Any]:
            with psycopg.connect(self._url, autocommit=True) as connection:
                return call(connection, function, *arguments)

        return self._threads.submit(run)


def wait_until_blocked(connection: Connection, sessions: int = 1) -> None:
    """Return when that many sessions of this database wait for a lock."""
    deadline = monotonic() + PATIENCE
    waiting = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    while connection.execute(waiting).fetchone() != (sessions,):
        assert monotonic() < deadline, "nobody waits for a lock"
        connection.execute("select pg_stat_clear_snapshot()")


Identities = Sequence[tuple[str | None, UUID]]


def submissions(pairs: Identities, state: bytes = b"{}", encoding: int = 0) -> tuple[Any, ...]:
    """Creations of tasks with their identities, as both ways to submit take them."""
    return (
        TextArray([identity for identity, _ in pairs]),
        UuidArray([task for _, task in pairs]),
        TextArray(["task.created"] * len(pairs)),
        ByteaArray([state] * len(pairs)),
        BigintArray([encoding] * len(pairs)),
    )
