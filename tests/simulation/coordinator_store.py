"""The coordinator's store in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from math import inf
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

from simulation.agenda import Violation
from simulation.database import Database, Queued
from simulation.local_clock import LocalClock
from simulation.overtaking import Overtaking
from simulation.worker_store import MemoryWorkerStore

from flowledger.engine.domain.limits.admission import LimitState
from flowledger.engine.domain.limits.circuit_breaker import StoredCircuit
from flowledger.engine.domain.limits.concurrency_slots import OlderWaiter
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.errors import StreamMoved, UnknownTemplate
from flowledger.engine.events.base import Event, Recorded, TaskEvent
from flowledger.engine.events.registry import DECISIONS, FACTS
from flowledger.engine.events.task import TaskCreated
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

MOST_LEFT = 500
"""So many tasks may be created while a round is on its way."""


class MemoryCoordinatorStore:
    """The ledger of one shard. `lease_seconds` is renewed with every commit."""

    def __init__(
        self,
        database: Database,
        clock: LocalClock,
        lease_seconds: float,
        shard: int = 0,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self._shard = shard
        self._board = MemoryWorkerStore(database, clock, new_id)
        self._database = database
        self._clock = clock
        self._lease = lease_seconds
        self._overtaking = Overtaking(database, shard)

    def lead(self, leader: UUID, lease_seconds: float) -> Leadership | None:
        """Become or stay the leader; None while another is."""
        shard = self._database.acquire_shard_lease(self._shard, leader, lease_seconds)
        if shard is None:
            return None
        self._clock.observe(self._database.clock())
        return Leadership(shard.epoch, shard.position)

    def resign(self, epoch: int) -> None:
        """Let another lead at once."""
        shard = self._database.shards[self._shard]
        if shard.epoch == epoch:
            shard.leader, shard.lease_until = None, self._database.clock()
        self._database.notify("shard")

    def facts(self, after: int, limit: int) -> Sequence[Recorded]:
        """Facts behind a position, in order."""
        return self._database.log.after(after, limit, FACTS, self._concerns)

    def created_from(self) -> int | None:
        """Behind this position tasks were created that are not decided on; None: all are."""
        return self._database.shards[self._shard].created_from

    def creations(self, after: int, until: int, limit: int) -> Sequence[Recorded]:
        """Of the facts between two positions those that created tasks, in order."""
        found = self._database.log.after(after, limit, TaskCreated, self._concerns)
        return [one for one in found if one.position <= until]

    def safe_position(self, after: int) -> int:
        """How far one may go on from a position without passing over a fact."""
        if len(self._database.shards) == 1:
            return after
        first = self.facts(after, 1)
        return first[0].position - 1 if first else max(after, self._database.log.end)

    def _concerns(self, event: Event) -> bool:
        return not isinstance(event, TaskEvent) or self._is_mine(event.task_id)

    def _is_mine(self, task_id: UUID) -> bool:
        return self._database.is_in(self._shard, task_id)

    def _is_behind(self, task_id: UUID) -> bool:
        position = self._database.shards[self._shard].position
        return any(
            recorded.position > position
            for recorded in self._database.log.of_task(task_id)
            if isinstance(recorded.event, FACTS) and not isinstance(recorded.event, TaskCreated)
        )

    def last_decided(self, after: int) -> int | None:
        """No position is ever put back here."""
        return None

    def task_events(self, task_id: UUID, until: int) -> Sequence[TaskEvent]:
        """Its creation, its facts up to a position and all decisions about it, in order."""
        return [
            recorded.event
            for recorded in self._database.log.of_task(task_id)
            if isinstance(recorded.event, TaskEvent)
            and (
                recorded.position <= until or isinstance(recorded.event, (TaskCreated, *DECISIONS))
            )
        ]

    def events_of_tasks(
        self, tasks: Sequence[UUID], until: int
    ) -> Mapping[UUID, Sequence[TaskEvent]]:
        """`task_events` of several."""
        return {task: self.task_events(task, until) for task in tasks}

    def waiting_to_begin(
        self,
        limit: int,
        full: Sequence[UUID],
        ageing_seconds: float,
        after: Mapping[UUID, str] | None = None,
    ) -> Waiting:
        """Tasks that are pending, in their order; with `after`, in turn too."""
        in_turn = () if after is None else self._in_turn(limit, full, ageing_seconds, after)
        pending = [row for row in self._pending(full) if row["fairness_key"] is None]
        pending.sort(key=lambda row: (begin_order(row, ageing_seconds), row["task_id"]))
        left = Counter({row["template_id"]: limit for row in pending})
        found = list[tuple[UUID, UUID]]()
        for row in pending:
            left[row["template_id"]] -= 1
            if left[row["template_id"]] >= 0:
                found.append((row["template_id"], row["task_id"]))
        return Waiting(sorted(found, key=itemgetter(0)), in_turn)

    def _in_turn(
        self, limit: int, full: Sequence[UUID], ageing_seconds: float, after: Mapping[UUID, str]
    ) -> Sequence[WaitsForTurn]:
        kinds = defaultdict[tuple[UUID, int], defaultdict[str, list[dict[str, Any]]]](
            lambda: defaultdict(list)
        )
        for row in sorted(self._pending(full), key=itemgetter("created_at", "task_id")):
            if row["fairness_key"] is not None:
                kinds[row["template_id"], row["priority"]][row["fairness_key"]].append(row)
        found = list[tuple[UUID, float, int, list[WaitsForTurn]]]()
        for (template, priority), keys in kinds.items():
            last = after.get(template, "")
            turns = sorted(keys, key=lambda key: (key <= last, key))[:limit]
            most = max(limit // len(turns), min(4, limit))
            kept = [(key, row) for key in turns for row in keys[key][:most]]
            since = min(row["created_at"] for _, row in kept)
            age = since.timestamp() - priority * ageing_seconds
            tasks = [
                WaitsForTurn(template, row["task_id"], priority, key, since) for key, row in kept
            ]
            found.append((template, age, priority, tasks))
        return [task for *_, tasks in sorted(found, key=itemgetter(0, 1, 2)) for task in tasks]

    def _pending(self, full: Sequence[UUID]) -> list[dict[str, Any]]:
        return [
            row
            for row in self._database.tasks.values()
            if row["state"] == TaskState.PENDING
            and not row["paused"]
            and row["template_id"] not in full
            and self._is_mine(row["task_id"])
        ]

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        return registered(self._database, template_id)

    def due(self, limit: int, *, orphans: bool) -> Due:
        """What the clock asks for; with `orphans`, steps of unknown workers are lost too."""
        database = self._database
        now = database.clock()
        mine = (row for row in database.timers.values() if self._is_mine(row["task_id"]))
        timers = sorted(mine, key=lambda row: row["due_at"])
        self._clock.observe(now)
        return Due(
            [
                (row["task_id"], row["step"], row["kind"])
                for row in islice((row for row in timers if row["due_at"] <= now), limit)
            ],
            self._lost(limit, orphans=orphans),
            next((row["due_at"] for row in timers), None),
            now,
            min(database.lease_ends(), default=None),
        )

    def _lost(self, limit: int, *, orphans: bool) -> list[tuple[UUID, str, UUID]]:
        database = self._database
        if not orphans and not any(map(database.is_lost, database.workers)):
            return []
        lost = (
            (row.task_id, row.step, row.worker_id)
            for row in database.queue.values()
            if row.worker_id is not None
            and self._is_mine(row.task_id)
            and database.is_lost(row.worker_id)
        )
        return list(islice(lost, limit))

    def unqueued(self, limit: int) -> Sequence[tuple[UUID, str]]:
        """Steps that should be queued and may not be; forgets silent workers on the way."""
        database = self._database
        for worker in list(database.workers):
            if database.is_lost(worker) and not database.holds(worker):
                del database.workers[worker]
        queued = {(row.task_id, row.step) for row in database.queue.values()}
        missing = (
            key
            for key, row in database.steps.items()
            if row["state"] in {StepState.ENQUEUED, StepState.IN_PROGRESS}
            and self._is_mine(key[0])
            and key not in queued
            and database.tasks[key[0]]["ended_at"] is None
            and not self._is_behind(key[0])
        )
        return list(islice(missing, limit))

    def queued_of(
        self, templates: Sequence[UUID], systems: Sequence[str], limit: int
    ) -> Sequence[tuple[UUID, str]]:
        """Queued steps of these that nobody has claimed; what would be claimed last comes first."""
        found = [
            row
            for row in self._database.queue.values()
            if row.worker_id is None
            and self._is_mine(row.task_id)
            and (row.template_id in templates or self._system_of(row) in systems)
        ]
        found.sort(key=lambda row: (row.sort_key, row.queued), reverse=True)
        return [(row.task_id, row.step) for row in found[:limit]]

    def _system_of(self, row: Queued) -> str | None:
        steps = self._database.templates[row.template_id].steps
        return next(step.system for step in steps if step.name == row.step)

    def submissions(self, limit: int) -> Sequence[TaskCreated]:
        """Tasks left by applications in transactions of their own, oldest first."""
        return [
            created.model_copy(update={"submission": number})
            for number, created in islice(self._left(), limit)
        ]

    def _left(self) -> Iterator[tuple[int, TaskCreated]]:
        for number, created in sorted(self._database.submissions.items()):
            if self._is_mine(created.task_id):
                yield number, created

    def park(self, epoch: int, position: int, reasons: Mapping[UUID, str]) -> None:
        """Nothing here is ever to be parked. Raises LeadershipLost, as the database does."""
        self._database.check_shard(self._shard, epoch, position)
        raise Violation(f"the coordinator parks {dict(reasons)}")

    def unpark(self, epoch: int, tasks: Sequence[UUID]) -> None:
        """Nothing is parked."""

    def parked(self) -> Sequence[UUID]:
        """Nothing is parked."""
        return ()

    def wanted(self, limit: int) -> Sequence[UUID]:
        """Nothing is parked."""
        return ()

    def limits(self) -> LimitState:
        """What is stored of limits, with the steps of the shard that wait."""
        return self._database.limits.state(self._database.clock(), self._is_mine)

    def limits_now(self, keys: Sequence[str]) -> tuple[Mapping[str, int], Sequence[StoredCircuit]]:
        """How many slots of these keys are in use, 0 included, and every circuit."""
        return self._database.limits.room(keys)

    def older_waiters(self, turns: Mapping[str, float]) -> Sequence[OlderWaiter]:
        """Steps of other shards that wait for slots of these keys with smaller turns than these."""
        found = [
            OlderWaiter(waiter.wait.key, waiter.step_id, waiter.sort_key)
            for waiter in self._database.limits.waiters.values()
            if waiter.wait.kind == "slot"
            and waiter.sort_key < turns.get(waiter.wait.key, -inf)
            and not self._is_mine(waiter.task_id)
        ]
        return sorted(found, key=lambda elder: elder.sort_key)

    def vacuum_queue(self) -> None:
        """There is nothing to clear away."""

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing. Raises LeadershipLost, or StreamMoved."""
        self._database.commit_decisions(self._shard, commit, self._lease)

    def commit_jointly(self, commit: Commit, part: WorkerPart, known: int) -> JointAnswer:
        """Store all of it or nothing. Raises LeadershipLost, or StreamMoved."""
        database = self._database
        database.meanwhile()
        database.check_shard(self._shard, commit.epoch, commit.old)
        own = len(part.facts) + len(commit.starts)
        before = self.facts(commit.new, known + MOST_LEFT)
        created = [one.position for one in before if isinstance(one.event, TaskCreated)]
        if own and len(before) - len(created) != known:
            raise StreamMoved(f"facts of shard {self._shard} came in between")
        if commit.starts and not database.may_start(part.worker):
            raise StreamMoved(f"worker {part.worker} may start nothing")
        self._overtaking.check(commit, part)
        whole = replace(commit, events=[*part.facts, *commit.events, *commit.starts])
        database.commit_decisions(self._shard, whole, self._lease)
        last, left = commit.new, None
        if own:
            last = self.facts(commit.new, known + own + len(created))[-1].position
            left = created[0] - 1 if created else None
        database.advance_shard_position(self._shard, last, self._lease, left)
        limit = part.limit if part.looks else 0
        exchange = self._board.exchange(
            part.worker, (), part.templates, limit, quiet=True, near=part.near
        )
        starts = [
            Start(database.log.stream(claim.step_id)[-1].event_id, part.worker, claim)
            for claim in exchange.claims
            if self._is_mine(claim.task_id)
        ]
        front = None
        if part.looks:
            front = database.front_of_queue(part.templates, part.near)
            self._overtaking.looked(part)
        return JointAnswer(last, exchange, starts, front, left)


def begin_order(row: Mapping[str, Any], ageing_seconds: float) -> float:
    """Its place among those that wait to begin; the smallest is first."""
    created_at: datetime = row["created_at"]
    return created_at.timestamp() - row["priority"] * ageing_seconds


def registered(database: Database, template_id: UUID) -> Template:
    """A registered definition. Raises UnknownTemplate."""
    try:
        return database.templates[template_id]
    except KeyError:
        raise UnknownTemplate(f"no template {template_id} is registered") from None
