"""The coordinator's port on Postgres: reads facts and timers, and commits decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.persistence import StoredEvent

from flowledger.engine.domain.limits.admission import LimitState
from flowledger.engine.domain.limits.circuit_breaker import StoredCircuit
from flowledger.engine.domain.limits.concurrency_slots import OlderWaiter
from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.domain.storable_text_check import storable
from flowledger.engine.domain.templates.template import UNLIMITED, Template, parse_template
from flowledger.engine.errors import DatabaseUnfit, LogCorrupt, UnknownTemplate
from flowledger.engine.events.base import Recorded, TaskEvent, Unreadable
from flowledger.engine.events.registry import DECISION_TOPICS, FACT_TOPICS
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplateRegistered
from flowledger.engine.ports.coordinator import (
    Commit,
    Due,
    JointAnswer,
    Leadership,
    Start,
    Waiting,
    WaitsForTurn,
    WorkerPart,
)
from flowledger.engine.store.connection.arrays import TextArray, UuidArray
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.coordinator_sql import (
    AGENDA,
    COMMIT,
    COMMIT_JOINTLY,
    LIMITS,
    LOST,
    MISSING,
    TIDY,
    TIMERS,
    others_of,
    rows_of,
)
from flowledger.engine.store.limit_json import circuits_of, state_of
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent
from flowledger.engine.store.log.eventsourcing_recorders import (
    LAST,
    LOG_OF_TOPICS,
    LedgerDatastore,
    LedgerRecorder,
)
from flowledger.engine.store.uuid_generator import Identifiers, numbered_id
from flowledger.engine.store.worker_store import MOST_CLAIMS, exchanged

FACTS = "select * from flowledger.facts_of_shard(%s, %s, %s, %s, %b)"
TOPICS = TextArray(FACT_TOPICS)
CREATIONS = TextArray([TaskCreated.topic])
DECISIONS = TextArray(DECISION_TOPICS)
DECIDED_OF_TASK = [TaskCreated.topic, *DECISION_TOPICS]
DECIDED = "select flowledger.last_decided_fact(%s, %s, %s, %b)"
MOST_OLDER_WAITERS = 16  # of a limit, between two looks
PASSED = "select flowledger.position_before_next_fact(%s, %s, %s, %b)"


class PostgresCoordinatorStore:
    """The ledger of one shard in Postgres. `lease_seconds` is renewed with every commit."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands on, and which shard it is
        self,
        pool: Pool,
        mapper: EventMapper,
        clock: DatabaseClock,
        lease_seconds: float,
        shard: int = 0,
        shards: int = 1,
    ) -> None:
        self._shard = shard
        self._shards = shards
        self._pool = pool
        self._mapper = mapper
        self._clock = clock
        self._lease = lease_seconds
        self._recorder = LedgerRecorder(LedgerDatastore(pool))
        self._identifiers = Identifiers()

    def lead(self, leader: UUID, lease_seconds: float) -> Leadership | None:
        """Become or stay the leader; None while another is."""
        asked = self._clock.asking()
        row = self._one(
            "select * from flowledger.acquire_shard_lease(%s, %s, %s, %s)",
            (self._shard, leader, lease_seconds, self._shards),
        )
        if row is None:
            return None
        epoch, position, now = cast("tuple[int, int, datetime]", row)
        self._clock.observe(now, asked)
        return Leadership(epoch, position)

    def resign(self, epoch: int) -> None:
        """Let another lead at once."""
        self._one("select flowledger.release_shard_lease(%s, %s)", (self._shard, epoch))

    def facts(self, after: int, limit: int) -> Sequence[Recorded | Unreadable]:
        """Facts behind a position, in order. One that cannot be read keeps its place among them."""
        return [self._read(*row) for row in self._facts(after, limit)]

    def created_from(self) -> int | None:
        """Behind this position tasks were created that are not decided on; None: all are."""
        row = self._one("select flowledger.creations_left_behind(%s)", (self._shard,))
        return cast("tuple[int | None]", row)[0]

    def creations(self, after: int, until: int, limit: int) -> Sequence[Recorded | Unreadable]:
        """Of the facts between two positions those that created tasks, in order."""
        rows = self._facts(after, limit, CREATIONS)
        return [self._read(*row) for row in rows if row[0] <= until]

    def _read(  # noqa: PLR0913, PLR0917 - the columns of a row, in their order
        self,
        position: int,
        stream: UUID,
        version: int,
        topic: str,
        state: bytes,
        task_id: UUID | None,
        recorded_at: datetime,
    ) -> Recorded | Unreadable:
        try:
            event = self._mapper.event(stream, version, topic, state, task_id, position)
        except LogCorrupt as error:
            return Unreadable(position, task_id, str(error))
        return Recorded(position, recorded_at, event)

    def safe_position(self, after: int) -> int:
        """How far one may go on from a position without passing over a fact.

        Where there is one shard, the position: all facts behind it are the shard's own.
        """
        if self._shards == 1:
            return after
        row = self._one(PASSED, (self._shard, self._shards, after, TOPICS))
        return cast("tuple[int]", row)[0]

    def last_decided(self, after: int) -> int | None:
        """The last fact behind a position that the log has a decision on; None: there is none."""
        row = self._one(DECIDED, (self._shard, self._shards, after, DECISIONS))
        return cast("tuple[int | None]", row)[0]

    def task_events(self, task_id: UUID, until: int) -> Sequence[TaskEvent]:
        """Its creation, its facts up to a position and all decisions about it, in order."""
        rows = self._all(
            "select * from flowledger.decided_task_events(%s, %s, %s)",
            (task_id, until, DECIDED_OF_TASK),
        )
        events = (self._mapper.to_domain_event(StoredLogEvent(*row)) for row in rows)
        return [event for event in events if isinstance(event, TaskEvent)]

    def events_of_tasks(
        self, tasks: Sequence[UUID], until: int
    ) -> Mapping[UUID, Sequence[TaskEvent]]:
        """`task_events` of several. Those of a task of which one cannot be read are left out."""
        rows = self._all(
            "select * from flowledger.decided_events_of_tasks(%s, %s, %s)",
            (UuidArray(tasks), until, DECIDED_OF_TASK),
        )
        found: dict[UUID, list[TaskEvent]] = {task: [] for task in tasks}
        for row in rows:
            try:
                event = self._mapper.to_domain_event(StoredLogEvent(*row))
            except LogCorrupt:
                found.pop(row[4], None)
                continue
            if isinstance(event, TaskEvent) and event.task_id in found:
                found[event.task_id].append(event)
        return found

    def waiting_to_begin(
        self,
        limit: int,
        full: Sequence[UUID],
        ageing_seconds: float,
        after: Mapping[UUID, str] | None = None,
    ) -> Waiting:
        """Pending tasks, but for those of the templates in `full`; with `after`, in turn too."""
        asked, mine = (limit, UuidArray(full), ageing_seconds), (self._shard, self._shards)
        by_age = self._all(
            "select * from flowledger.tasks_waiting_to_begin(%s, %s, %s, %s, %s)", (*asked, *mine)
        )
        if after is None:
            return Waiting(cast("list[tuple[UUID, UUID]]", by_age))
        in_turn = self._all(
            "select * from flowledger.tasks_to_begin_in_turn(%s, %s, %s, %s, %s, %s, %s)",
            (*asked, UuidArray([*after]), TextArray([*after.values()]), *mine),
        )
        found = [WaitsForTurn(*row) for row in in_turn]
        return Waiting(cast("list[tuple[UUID, UUID]]", by_age), found)

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        with translate_errors():
            stored = self._recorder.select_events(template_id, limit=1)
        return registered(stored, template_id, self._mapper)

    def due(self, limit: int, *, orphans: bool) -> Due:
        """What the clock asks for; with `orphans`, steps of unknown workers are lost too."""
        mine = (self._shard, self._shards)
        with (
            translate_errors(),
            self._pool.connection() as connection,
            connection.transaction() if orphans else nullcontext(),
        ):

            def all_of(query: Any, parameters: Sequence[Any]) -> list[Any]:
                return connection.execute(query, parameters, binary=True).fetchall()

            asked = self._clock.asking()
            ((now, next_at, silent_at, has_timers, has_lost, *others),) = all_of(AGENDA, mine)
            self._clock.observe(now, asked)
            timers = all_of(TIMERS, (limit, *mine)) if has_timers else []
            lost = all_of(LOST, (limit, orphans, *mine)) if has_lost or orphans else []
        return Due(timers, lost, next_at, now, silent_at, *others)

    def unqueued(self, limit: int) -> Sequence[tuple[UUID, str]]:
        """Steps that should be queued and may not be; tidies up on the way."""
        with (
            translate_errors(),
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            connection.execute(TIDY, (self._shard,), binary=True)
            mine = (limit, self._shard, self._shards)
            rows = connection.execute(MISSING, mine, binary=True).fetchall()
        return cast("list[tuple[UUID, str]]", rows)

    def queued_of(
        self, templates: Sequence[UUID], systems: Sequence[str], limit: int
    ) -> Sequence[tuple[UUID, str]]:
        """Queued steps of these that nobody has claimed; what would be claimed last comes first."""
        rows = self._all(
            "select * from flowledger.steps_to_withdraw(%s, %s, %s, %s, %s)",
            (UuidArray(templates), TextArray(systems), limit, self._shard, self._shards),
        )
        return cast("list[tuple[UUID, str]]", rows)

    def submissions(self, limit: int) -> Sequence[TaskCreated | Unreadable]:
        """Tasks left by applications in transactions of their own, oldest first."""
        rows = self._all(
            "select * from flowledger.pending_submissions(%s, %s, %s)",
            (limit, self._shard, self._shards),
        )
        return [self._left(*row) for row in rows]

    def _left(self, number: int, task_id: UUID, topic: str, state: bytes) -> Any:
        try:
            event = self._mapper.event(task_id, 1, topic, state, task_id)
        except LogCorrupt as error:
            return Unreadable(0, task_id, f"its submission cannot be read: {error}")
        if not isinstance(event, TaskCreated):
            return Unreadable(0, task_id, f"its submission is a {topic}, not a task.created")
        return event.model_copy(update={"submission": number})

    def park(self, epoch: int, position: int, reasons: Mapping[UUID, str]) -> None:
        """Note which tasks are left alone, and why. Raises LeadershipLost."""
        self._one(
            "select flowledger.park_tasks(%s, %s, %s, %s, %b)",
            (
                self._shard,
                epoch,
                position,
                UuidArray([*reasons]),
                TextArray([storable(reason) for reason in reasons.values()]),
            ),
        )

    def unpark(self, epoch: int, tasks: Sequence[UUID]) -> None:
        """These go on: what was decided about them is stored."""
        self._one(
            "select flowledger.delete_parked_tasks(%s, %s, %s)", (self._shard, epoch, [*tasks])
        )

    def parked(self) -> Sequence[UUID]:
        """The tasks that the leader before left alone; all of them are to be tried again."""
        rows = self._all(
            "select flowledger.retry_parked_tasks_of_shard(%s, %s)", (self._shard, self._shards)
        )
        return [task for (task,) in rows]

    def wanted(self, limit: int) -> Sequence[UUID]:
        """Parked tasks that are to be tried again."""
        query = "select flowledger.parked_tasks_asked_to_retry(%s, %s, %s)"
        return [task for (task,) in self._all(query, (limit, self._shard, self._shards))]

    def limits(self) -> LimitState:
        """What is stored of limits, with the steps of the shard that wait."""
        row = self._one(LIMITS, (self._shard, self._shards))
        return state_of(orjson.loads(cast("tuple[str]", row)[0]))

    def limits_now(self, keys: Sequence[str]) -> tuple[Mapping[str, int], Sequence[StoredCircuit]]:
        """How many slots of these keys are in use, 0 included, and every circuit."""
        rows = self._all("select * from flowledger.slots_in_use(%s)", (TextArray(keys),))
        row = self._one("select flowledger.proved_circuits()::text", ())
        stored = cast("tuple[str | None]", row)[0]
        return dict(cast("list[tuple[str, int]]", rows)), circuits_of(orjson.loads(stored or "[]"))

    def older_waiters(self, sort_keys: Mapping[str, float]) -> Sequence[OlderWaiter]:
        """Steps of other shards that wait for slots of these keys with smaller sort keys than
        these."""
        if self._shards == 1 or not sort_keys:
            return ()
        rows = self._all(
            "select * from flowledger.waiters_of_other_shards(%s, %s::float8[], %s, %s, %s)",
            (
                TextArray([*sort_keys]),
                [*sort_keys.values()],
                MOST_OLDER_WAITERS,
                self._shard,
                self._shards,
            ),
        )
        return [OlderWaiter(*row) for row in rows]

    def vacuum_queue(self) -> None:
        """Vacuum the queue. A role that may not is only warned by the server."""
        with translate_errors(), self._pool.connection() as connection:
            connection.execute("vacuum (truncate false, skip_locked true) flowledger.queue")

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing. Raises LeadershipLost, or StreamMoved."""
        self._one(
            COMMIT,
            (
                *(self._shard, commit.epoch, commit.old, commit.new, self._lease),
                *(self._mapper.columns(commit.events) if commit.events else (None,) * 6),
                *rows_of(commit),
                commit.submissions or None,
                *others_of(commit),
                commit.created_from,
            ),
        )

    def commit_jointly(self, commit: Commit, part: WorkerPart, known: int) -> JointAnswer:
        """Store all of it or nothing, in one round trip. Raises LeadershipLost, StreamMoved."""
        first, asked_at = self._identifiers.new(), self._clock.asking()
        row = self._one(
            COMMIT_JOINTLY,
            (
                *(self._shard, self._shards, commit.epoch, commit.old, commit.new, self._lease),
                *(known, len(part.facts), len(commit.starts)),
                *self._mapper.columns([*part.facts, *commit.events, *commit.starts]),
                *rows_of(commit),
                *others_of(commit),
                *(part.worker, UuidArray(part.templates), min(part.limit, MOST_CLAIMS), first),
                *(part.looks, [*part.near.shards] or None, part.near.locality_seconds),
            ),
        )
        position, created_from, front, *claimed, now = cast("tuple[Any, ...]", row)
        with suppress(DatabaseUnfit):  # who renews the lease says so; what was decided is stored
            self._clock.observe(cast("datetime", now), asked_at)
        exchange = exchanged(claimed)
        claimed_steps = cast("list[UUID]", claimed[1] or [])
        ids = {step: numbered_id(first, n) for n, step in enumerate(claimed_steps, 1)}
        mine = [
            Start(ids[claim.step_id], part.worker, claim)
            for claim in exchange.claims
            if shard_of(claim.task_id, self._shards) == self._shard
        ]
        return JointAnswer(position, exchange, mine, front, created_from)

    def _facts(self, after: int, limit: int, topics: TextArray = TOPICS) -> list[tuple[Any, ...]]:
        if self._shards == 1:
            return self._all(LOG_OF_TOPICS, (after, LAST, topics, limit))
        return self._all(FACTS, (self._shard, self._shards, after, limit, topics))

    def _one(self, query: Any, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchone()

    def _all(self, query: Any, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with translate_errors(), self._pool.connection() as connection:
            return connection.execute(query, parameters, binary=True).fetchall()


def registered(stored: Sequence[StoredEvent], template_id: UUID, mapper: EventMapper) -> Template:
    """The definition in a template's stream. Raises UnknownTemplate where the stream is empty."""
    for row in stored:
        event = mapper.to_domain_event(row)
        if isinstance(event, TemplateRegistered):
            return parse_template(event.definition, f"the log's template {template_id}", UNLIMITED)
    raise UnknownTemplate(f"no template {template_id} is registered")
