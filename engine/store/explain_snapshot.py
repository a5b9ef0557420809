"""Reads the live state around a task, beside its log, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flowledger.engine.domain.explain.live_state import (
    COUNTED,
    PATIENCE,
    SHOWN,
    Holder,
    LaggingProjection,
    LimitStatus,
    LiveState,
    OpenSession,
    ParkedStanding,
    QueueStatus,
    ShardStatus,
    WaitStatus,
    WorkerStatus,
)
from flowledger.engine.store.connection.arrays import TextArray
from flowledger.engine.store.connection.pool import Connection
from flowledger.engine.store.limit_json import circuits_of, demand_of_json

# The transaction itself only reads, and a login's own setting says nothing of the others.
IS_READ_ONLY = """
    not pg_is_in_recovery() and exists (
        select from pg_settings as s
        where s.name = 'default_transaction_read_only' and s.setting = 'on'
            and s.source in ('configuration file', 'command line', 'database')
    )
"""
SHARD = f"select *, {IS_READ_ONLY} from flowledger.shard_status_of_task(%s)"  # noqa: S608
QUEUE = "select * from flowledger.queued_and_running_steps(%s, %s::int)"
HELD = "select * from flowledger.waiting_steps_of_task(%s, %s::int)"
WORKERS = "select * from flowledger.workers_for_template(%s, %s)"
HOLDERS = "select * from flowledger.slot_holders(%b, %s::int)"
IN_USE = "select * from flowledger.slots_in_use(%b)"
EXPECTED = "select * from flowledger.theoretical_arrival_times(%b)"
CIRCUITS = "select flowledger.proved_circuits()"
PARKED = "select * from flowledger.parked_task_details(%s)"
BEGIN_BEFORE = "select flowledger.tasks_that_begin_before(%s, %s::int)"
OPEN_SESSIONS = (
    "select login, pid, clock_timestamp() - since from flowledger_v1.vacuum_holders(%s)"
    " where kind = 'session' order by since"
)
LONG_OPEN_SECONDS = 60.0
TAKE_TURNS = "select flowledger.keys_that_take_turns(%s, %s::int)"
REGISTERED = "select flowledger.template_is_registered(%s)"
PROJECTIONS = "select * from flowledger.projections_behind_position(%s::bigint, %s)"


def surroundings_of(
    connection: Connection, task_id: UUID, template_id: UUID | None, last: int
) -> LiveState:
    """What stands around the task; `last` is the position of its last event, 0 for none."""
    (row,) = _rows(connection, SHARD, task_id)
    number, position, leader, host, pid, lease_until, head, now, read_only = row
    queue = [QueueStatus(*row) for row in _rows(connection, QUEUE, task_id, COUNTED)]
    held = [_held(*row) for row in _rows(connection, HELD, task_id, COUNTED)]
    waiting = [row for row in queue if row.before is not None]
    ((begin_before,),) = _rows(connection, BEGIN_BEFORE, task_id, COUNTED)
    asks_for_workers = waiting or begin_before is not None
    return LiveState(
        now=now.astimezone(UTC),
        shard=ShardStatus(
            number,
            position or 0,
            leader,
            host,
            pid,
            lease_until,
            head,
            missing=position is None,
            read_only=read_only,
        ),
        queue={row.step: row for row in queue},
        waiting={row.step: row for row in held},
        workers=_workers(connection, template_id, waiting) if asks_for_workers else (),
        limits=_limits(connection, held),
        projections=tuple(
            LaggingProjection(*row) for row in _rows(connection, PROJECTIONS, last, PATIENCE)
        ),
        parked=_parked(_rows(connection, PARKED, task_id)),
        begin_before=begin_before,
        open_sessions=tuple(
            OpenSession(*row)
            for row in (_rows(connection, OPEN_SESSIONS, LONG_OPEN_SECONDS) if waiting else ())
        ),
        keys_in_turn=None
        if begin_before is None
        else _rows(connection, TAKE_TURNS, task_id, COUNTED)[0][0],
        registered=not asks_for_workers or _rows(connection, REGISTERED, template_id)[0][0],
    )


def _parked(rows: list[tuple[Any, ...]]) -> ParkedStanding | None:
    for reason, since, tried_at, wanted in rows:
        return ParkedStanding(reason, since.astimezone(UTC), tried_at.astimezone(UTC), wanted)
    return None


def _workers(
    connection: Connection, template_id: UUID | None, waiting: Iterable[QueueStatus]
) -> tuple[WorkerStatus, ...]:
    counted = not all(row.far_back for row in waiting)
    return tuple(WorkerStatus(*row) for row in _rows(connection, WORKERS, template_id, counted))


def _held(step: str, kind: Any, key: str, *rest: Any) -> WaitStatus:
    since, until, demand, before = rest
    return WaitStatus(step, kind, key, since, until, demand_of_json(demand), before)


def _limits(connection: Connection, held: Iterable[WaitStatus]) -> LimitStatus:
    demands = [row.demand for row in held]
    slots = TextArray(sorted({limit.key for demand in demands for limit in demand.slots}))
    rates = TextArray(sorted({limit.key for demand in demands for limit in demand.rates}))
    if not demands:
        return LimitStatus()
    holders: defaultdict[str, list[Holder]] = defaultdict(list)
    for key, *holder in _rows(connection, HOLDERS, slots, SHOWN):
        holders[key].append(Holder(*holder))
    expected: list[tuple[str, datetime]] = [
        (key, at.astimezone(UTC)) for key, at in _rows(connection, EXPECTED, rates)
    ]
    ((circuits,),) = _rows(connection, CIRCUITS)
    return LimitStatus(
        in_use=dict(_pairs(connection, slots)),
        owners={key: tuple(found) for key, found in holders.items()},
        expected=dict(expected),
        circuits=tuple(circuits_of(circuits or ())),
    )


def _pairs(connection: Connection, keys: TextArray) -> list[tuple[str, int]]:
    return [(key, count) for key, count in _rows(connection, IN_USE, keys)]


def _rows(connection: Connection, query: Any, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters, binary=True).fetchall()
