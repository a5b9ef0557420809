"""The coordinator's store: what it reads and the one transaction that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.persistence import StoredEvent

from flowledger.engine.domain.events import (
    DECISION_TOPICS,
    FACT_TOPICS,
    TaskCreated,
    TaskEvent,
    TemplateRegistered,
)
from flowledger.engine.domain.template import UNLIMITED, Template, parse_template
from flowledger.engine.errors import UnknownTemplate
from flowledger.engine.ports import Commit, Due, Leadership, Recorded
from flowledger.engine.store.clock import DatabaseClock
from flowledger.engine.store.failures import translated
from flowledger.engine.store.mapper import LedgerEvent, LedgerMapper
from flowledger.engine.store.pool import Pool
from flowledger.engine.store.recorder import LedgerDatastore, LedgerRecorder, event_arrays

SHARD = 0


class PostgresLedger:
    """The ledger in Postgres. `lease_seconds` is renewed with every commit."""

    def __init__(
        self, pool: Pool, mapper: LedgerMapper, clock: DatabaseClock, lease_seconds: float
    ) -> None:
        self._pool = pool
        self._mapper = mapper
        self._clock = clock
        self._lease = lease_seconds
        self._recorder = LedgerRecorder(LedgerDatastore(pool))

    def lead(self, leader: UUID, lease_seconds: float) -> Leadership | None:
        """Become or stay the leader; None while another is."""
        row = self._one(
            "select * from flowledger.lead_shard(%s, %s, %s)", (SHARD, leader, lease_seconds)
        )
        if row is None:
            return None
        epoch, position, now = cast("tuple[int, int, datetime]", row)
        self._clock.observe(now)
        return Leadership(epoch, position)

    def resign(self, epoch: int) -> None:
        """Let another lead at once."""
        self._one("select flowledger.resign_shard(%s, %s)", (SHARD, epoch))

    def facts(self, after: int, limit: int) -> Sequence[Recorded]:
        """Facts behind a position, in order."""
        with translated():
            rows = self._recorder.select_notifications(
                after, limit, topics=FACT_TOPICS, inclusive_of_start=False
            )
        read = self._mapper.to_domain_event
        return [Recorded(row.id, row.recorded_at, read(row)) for row in rows]

    def task_events(self, task_id: UUID, until: int) -> Sequence[TaskEvent]:
        """Its creation, its facts up to a position and all decisions about it, in order."""
        rows = self._all(
            "select * from flowledger.decided_events(%s, %s, %s)",
            (task_id, until, [TaskCreated.topic, *DECISION_TOPICS]),
        )
        events = (self._mapper.to_domain_event(LedgerEvent(*row)) for row in rows)
        return [event for event in events if isinstance(event, TaskEvent)]

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        with translated():
            stored = self._recorder.select_events(template_id, limit=1)
        return registered(stored, template_id, self._mapper)

    def due(self, limit: int, *, orphans: bool) -> Due:
        """What the clock asks for; with `orphans`, steps of unknown workers are lost too."""
        timers = self._all("select * from flowledger.due_timers(%s)", (limit,))
        lost = self._all("select * from flowledger.lost_steps(%s, %s)", (limit, orphans))
        row = self._one("select * from flowledger.next_due()", ())
        now, next_at = cast("tuple[datetime, datetime | None]", row)
        self._clock.observe(now)
        return Due(
            cast("list[tuple[UUID, str, str]]", timers),
            cast("list[tuple[UUID, str, UUID]]", lost),
            next_at,
        )

    def unqueued(self, limit: int) -> Sequence[tuple[UUID, str]]:
        """Steps that should be queued and may not be; forgets silent workers on the way."""
        self._one("select flowledger.forget_workers()", ())
        rows = self._all("select * from flowledger.unqueued_steps(%s)", (limit,))
        return cast("list[tuple[UUID, str]]", rows)

    def submissions(self, limit: int) -> Sequence[TaskCreated]:
        """Tasks left by applications in transactions of their own, oldest first."""
        rows = self._all("select * from flowledger.left_submissions(%s)", (limit,))
        left: list[TaskCreated] = []
        for number, task_id, topic, state in rows:
            event = self._mapper.to_domain_event(LedgerEvent(task_id, 1, topic, state, task_id))
            if isinstance(event, TaskCreated):
                left.append(event.model_copy(update={"submission": number}))
        return left

    def tidy(self) -> None:
        """Vacuum the queue. A role that may not is only warned by the server."""
        with translated(), self._pool.connection() as connection:
            connection.execute("vacuum (truncate false, skip_locked true) flowledger.queue")

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing. Raises LeadershipLost, or StreamMoved."""
        stored = [self._mapper.to_stored_event(event) for event in commit.events]
        self._one(
            COMMIT,
            (
                *(SHARD, commit.epoch, commit.old, commit.new, self._lease),
                *(event_arrays(stored) if stored else (None,) * 6),
                commit.dropped or None,
                _json(commit.queued),
                _json(commit.steps),
                _json(commit.tasks),
                commit.untimed or None,
                _json(commit.timers),
                commit.submissions or None,
            ),
        )

    def _one(self, query: Any, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
        with translated(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchone()

    def _all(self, query: Any, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with translated(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()


COMMIT = (
    "select flowledger.commit_decisions("
    "%s::int, %s::bigint, %s::bigint, %s::bigint, %s::float8,"
    " %s, %s, %s, %s, %s, %s,"
    " %s::uuid[], %s::json, %s::json, %s::json, %s::uuid[], %s::json, %s::bigint[])"
)


def _json(rows: Sequence[dict[str, Any]]) -> str | None:
    return orjson.dumps(rows).decode() if rows else None


def registered(stored: Sequence[StoredEvent], template_id: UUID, mapper: LedgerMapper) -> Template:
    """The definition in a template's stream. Raises UnknownTemplate where the stream is empty."""
    for row in stored:
        event = mapper.to_domain_event(row)
        if isinstance(event, TemplateRegistered):
            return parse_template(event.definition, f"the log's template {template_id}", UNLIMITED)
    raise UnknownTemplate(f"no template {template_id} is registered")
