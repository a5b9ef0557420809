"""The worker's port on Postgres: claims, outcomes, leases, and the inputs of handlers."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.errors import DatabaseUnfit, LogCorrupt
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepCheckpointed, StepCompleted, StepCompletedManually
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.worker import NOWHERE, Claim, ClaimStatus, Exchange, Nearby
from flowledger.engine.store.connection.arrays import UuidArray
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Connection, Pool
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent, moment
from flowledger.engine.store.uuid_generator import Identifiers

COMPLETIONS = (StepCompleted, StepCompletedManually)
ASKS_IN_LEASE = 4
"""So often, about, does a worker renew its lease before it runs out."""

HEARTBEAT = "select flowledger.heartbeat_worker(%s, %s, %s, %s, %b, %s::int, %b)"
REPORT = "select flowledger.report_outcomes(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
MOST_CLAIMS = 32_767
"""In one exchange: the ids of their starts are numbered in two bytes."""

EXCHANGE = (
    "select e.*, flowledger.clock()"
    " from flowledger.report_and_claim(%s, %b, %s::int, %s, %b, %b, %b, %b, %b, %b, %s,"
    " %s::int[], %s::float8) as e"
)
LATEST = (
    "select originator_id, originator_version, topic, state, task_id"
    " from flowledger.last_event_of_streams(%b, 9223372036854775807)"
)
HELD = "select * from flowledger.claimed_steps(%s)"
CREATED = "select * from flowledger.task_created_events(%b)"
COMPLETED = "select * from flowledger.step_completed_events(%b)"
CHECKPOINTED = "select * from flowledger.last_checkpoints_of_steps(%b)"
CHECKPOINT = "select * from flowledger.checkpoint_step(%s, %s, %s::int, %s, %s::bigint)"


class PostgresWorkerStore:
    """The worker's port in Postgres.

    `templates`, whose steps the worker claims, `concurrency`, how many it runs at once, and
    `excluded`, whose code it has and leaves alone, are told to people who ask why nobody takes a
    step.
    """

    def __init__(  # noqa: PLR0913 - what it is told, and what it tells
        self,
        pool: Pool,
        mapper: EventMapper,
        clock: DatabaseClock,
        templates: Sequence[UUID] | None = None,
        concurrency: int | None = None,
        *,
        excluded: Sequence[UUID] = (),
    ) -> None:
        self._pool = pool
        self._mapper = mapper
        self._clock = clock
        self._identifiers = Identifiers()
        self._templates = None if templates is None else UuidArray(templates)
        self._concurrency = concurrency
        self._excluded = UuidArray(excluded)

    @property
    def sessions(self) -> int:
        """How many the pool has made."""
        return self._pool.made

    def renew(self, worker: UUID, lease_seconds: float) -> datetime:
        """Register the worker, or renew its lease. Returns when that was asked for."""
        row = (
            *(worker, socket.gethostname(), os.getpid(), lease_seconds),
            *(self._templates, self._concurrency, self._excluded),
        )

        def ask(connection: Session) -> datetime:
            at, asked = self._clock.now(), self._clock.asking()
            ((now,),) = connection.execute(HEARTBEAT, row, binary=True).fetchall()
            self._clock.observe(cast("datetime", now), asked)
            return at

        every = lease_seconds / ASKS_IN_LEASE
        at, _ = self._pool.pulse.beat(_role(worker), ask, every, fresh=False)
        return at

    def retire(self, worker: UUID) -> None:
        """Forget the worker; what it still holds counts as lost."""
        self._pool.pulse.leave(_role(worker))
        self._all("select flowledger.deregister_worker(%s)", (worker,))

    def exchange(  # noqa: PLR0913 - what one call brings and asks for
        self,
        worker: UUID,
        facts: Sequence[StepEvent],
        templates: Sequence[UUID],
        limit: int,
        *,
        quiet: bool,
        near: Nearby = NOWHERE,
    ) -> Exchange:
        """Append facts and release their steps; claim up to `limit` steps and append their starts.

        One transaction and one call. The database writes the starts, as plain JSON whatever the
        mapper writes, and has them on its disk when it answers: no handler runs of which the log
        does not know. The answer also tells the engine's time: where the lease has ended by it,
        nothing is claimed, and the worker is to know.

        If the exchange claims a step that it also reports on, one of the two is stale. Normally it
        is the report, of an older attempt, and it is dropped. If the report belongs to the attempt
        that the claim would start, the claim is dropped instead.
        """
        with translate_errors(), self._pool.connection() as connection:
            if not limit:
                return Exchange((), self._report(connection, worker, facts))
            columns = self._mapper.columns(facts)
            kind = "start" if quiet else "fact"
            cursor = connection.cursor(binary=True)
            asked = (worker, UuidArray(templates), min(limit, MOST_CLAIMS), self._identifiers.new())
            asked_at = self._clock.asking()
            nearby = ([*near.shards] or None, near.locality_seconds)
            cursor.execute(EXCHANGE, (*asked, *columns, kind, *nearby))
            ((*answer, now),) = cursor.fetchall()
        with suppress(DatabaseUnfit):  # who renews the lease says so; what was exchanged is stored
            self._clock.observe(cast("datetime", now), asked_at)
        return exchanged(answer)

    def try_out(self, worker: UUID, fact: StepEvent) -> None:
        """Report it and take that back. Raises what `exchange` would raise."""
        with (
            translate_errors(),
            self._pool.connection() as connection,
            connection.transaction(force_rollback=True),
        ):
            self._report(connection, worker, [fact])

    def claims_of(self, worker: UUID) -> Sequence[Claim]:
        """The steps that this worker runs, by the queue."""
        with translate_errors(), self._pool.connection() as connection:
            rows = connection.execute(HELD, (worker,), binary=True).fetchall()
            return dated(connection, self._mapper, [claimed(*row) for row in rows])

    def claim_statuses(
        self, worker: UUID, beats: Mapping[UUID, bytes | None]
    ) -> Mapping[UUID, ClaimStatus]:
        """Those of the steps that the worker still holds; notes heartbeats, JSON each, of some."""
        details = [None if beat is None else beat.decode() for beat in beats.values()]
        rows = self._all(
            "select * from flowledger.check_claims_and_record_heartbeats(%s, %b, %s::text[])",
            (worker, UuidArray(list(beats)), details),
        )
        return {step: claim_status(*columns) for step, *columns in rows}

    def checkpoint(self, worker: UUID, checkpoint: StepCheckpointed) -> ClaimStatus | None:
        """Append it, at whatever version the queue has; None if the step is another worker's."""
        stored = self._mapper.to_stored_event(checkpoint)
        step, attempt = checkpoint.originator_id, checkpoint.attempt
        parameters = (worker, step, attempt, stored.state, stored.encoding)
        version, cancelling, at = self._all(CHECKPOINT, parameters)[0]
        return None if version is None else claim_status(version, attempt, cancelling, at)

    def checkpoints(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """What was recorded last of each step; steps without a checkpoint are left out."""
        events = self._events(CHECKPOINTED, steps)
        return {e.originator_id: e.state for e in events if isinstance(e, StepCheckpointed)}

    def elect_isolated(self, worker: UUID, templates: Sequence[UUID]) -> bool:
        """Whether the worker shall take only steps that are to run alone, one at a time."""
        query = "select flowledger.elect_isolated_worker(%s, %b)"
        return bool(self._all(query, (worker, UuidArray(templates)))[0][0])

    def set_stuck(self, worker: UUID, *, stuck: bool) -> None:
        """Note for people whether abandoned handlers keep the worker from claiming."""
        self._all("select flowledger.set_worker_stuck(%s, %s)", (worker, stuck))

    def contexts(self, tasks: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The contexts of tasks."""
        events = self._events(CREATED, tasks)
        return {e.task_id: e.context for e in events if isinstance(e, TaskCreated)}

    def results(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The results of completed steps; the others are left out."""
        events = self._events(COMPLETED, steps)
        return {e.originator_id: e.result for e in events if isinstance(e, COMPLETIONS)}

    def _events(self, query: str, streams: Sequence[UUID]) -> list[Any]:
        rows = self._all(query, (UuidArray(streams),))
        return [self._mapper.to_domain_event(StoredLogEvent(*row)) for row in rows]

    def _report(
        self, connection: Connection, worker: UUID, facts: Sequence[StepEvent]
    ) -> frozenset[UUID]:
        if not facts:
            return frozenset()
        ended = [fact.originator_id for fact in facts]
        cursor = connection.cursor(binary=True)
        cursor.execute(REPORT, (worker, UuidArray(ended), *self._mapper.columns(facts), "fact"))
        row = cursor.fetchone()
        return frozenset(row[0]) if row else frozenset()

    def _all(self, query: Any, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()


def _role(worker: UUID) -> str:
    return f"worker {worker}"


def claim_status(version: int, attempt: int, cancelling: bool, at: int | None) -> ClaimStatus:  # noqa: FBT001 - the columns of a row, in their order
    """A row of the queue, with the time of the last that is known of its stream."""
    return ClaimStatus(version, attempt, cancelling, moment(at))


def exchanged(row: Sequence[Any]) -> Exchange:
    """The row of an exchange: the refused streams, and the claims in columns."""
    refused, *columns = row
    gone = frozenset(cast("list[UUID]", refused or ()))
    claims = (begun(*claim) for claim in (zip(*columns, strict=True) if columns[0] else ()))
    return Exchange([claim for claim in claims if claim.step_id not in gone], gone)


def begun(*row: Any) -> Claim:
    """A claim whose start the server has written, with the time of it at the end of the row."""
    columns: tuple[Any, ...] = (*row[:-1], moment(row[-1]))
    return Claim(*columns)


def dated(connection: Connection, mapper: EventMapper, claims: Sequence[Claim]) -> list[Claim]:
    """The claims with the time of the last event of their streams, which no later one precedes."""
    if not claims:
        return []
    streams = UuidArray([claim.step_id for claim in claims])
    rows = connection.execute(LATEST, (streams,), binary=True).fetchall()
    times: dict[UUID, datetime] = {}
    for row in rows:
        with suppress(LogCorrupt):  # it is not for the worker to judge, and no reason to stop
            event = mapper.to_domain_event(StoredLogEvent(*row))
            times[event.originator_id] = event.occurred_at
    return [replace(claim, at=times.get(claim.step_id)) for claim in claims]


def claimed(  # noqa: PLR0913, PLR0917 - the columns of a row, in their order
    step_id: UUID,
    task_id: UUID,
    template_id: UUID,
    version: int,
    attempt: int,
    step: str,
    correlation_id: str,
    resets: int,
) -> Claim:
    """A row of the queue, whose stream the start has moved on by one."""
    return Claim(step_id, task_id, template_id, version + 1, attempt, step, correlation_id, resets)
