"""The tables of one database in memory, and the transactions that change several of them.

What a SQL function does in Postgres, a method does here, under the same name where it has one; the
conformance suite holds both to the same words. A method checks before it changes, so that what it
refuses leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Literal, TypeVar
from uuid import UUID

from simulation.limits import StoredLimits
from simulation.log import Log

from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.errors import LeadershipLost, StreamMoved
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepStarted
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.ports.worker import Nearby

K = TypeVar("K", UUID, int)
GIVEN = (
    *("step_id", "task_id", "template_id", "version", "sort_key", "attempt", "resets"),
    *("step", "correlation"),
)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def ignore(_: str) -> None:
    """Nobody listens."""


def nothing() -> None:
    """Nobody does anything."""


@dataclass(slots=True)
class Queued:
    """A row of the queue.

    `version` is where the step's stream stood when it was queued, and one more for each checkpoint
    and each signal to stop. The smallest `sort_key` is claimed first.
    """

    step_id: UUID
    task_id: UUID
    template_id: UUID
    version: int
    sort_key: float
    attempt: int
    resets: int
    step: str
    correlation: str | None
    exclusive: bool
    queued: int
    worker_id: UUID | None = None
    cancelling: bool = False
    details: bytes | None = None


@dataclass(slots=True)
class Registered:
    """A row of the workers."""

    lease_until: datetime
    condition: Literal["ready", "isolated", "stuck"] = "ready"


@dataclass(slots=True)
class Shard:
    """Who decides, from which position on."""

    position: int = 0
    created_from: int | None = None
    epoch: int = 0
    leader: UUID | None = None
    lease_until: datetime | None = None


@dataclass(slots=True)
class Database:
    """All tables. `clock` is the time by which everything is decided, `notify` tells listeners.

    `meanwhile` is called when a joint round arrives: what happens then it did not know of.
    """

    clock: Callable[[], datetime]
    notify: Callable[[str], None] = ignore
    meanwhile: Callable[[], None] = nothing
    log: Log = field(init=False)
    templates: dict[UUID, Template] = field(default_factory=dict[UUID, Template])
    tasks: dict[UUID, dict[str, Any]] = field(default_factory=dict[UUID, dict[str, Any]])
    steps: dict[tuple[UUID, str], dict[str, Any]] = field(
        default_factory=dict[tuple[UUID, str], dict[str, Any]]
    )
    queue: dict[UUID, Queued] = field(default_factory=dict[UUID, Queued])
    workers: dict[UUID, Registered] = field(default_factory=dict[UUID, Registered])
    timers: dict[UUID, dict[str, Any]] = field(default_factory=dict[UUID, dict[str, Any]])
    shards: list[Shard] = field(default_factory=lambda: [Shard()])
    limits: StoredLimits = field(default_factory=StoredLimits)
    identities: dict[str, UUID] = field(default_factory=dict[str, UUID])
    submissions: dict[int, TaskCreated] = field(default_factory=dict[int, TaskCreated])
    _numbers: int = 0

    def __post_init__(self) -> None:
        self.log = Log(self.clock)

    def number(self) -> int:
        """The next number of a sequence."""
        self._numbers += 1
        return self._numbers

    def until(self, seconds: float) -> datetime:
        """When a lease of so many seconds ends."""
        return self.clock() + timedelta(seconds=seconds)

    # The coordinator's side

    def is_in(self, shard: int, task_id: UUID) -> bool:
        """Whether the task is one of the shard's."""
        return shard_of(task_id, len(self.shards)) == shard

    def acquire_shard_lease(self, number: int, leader: UUID, lease_seconds: float) -> Shard | None:
        """Become or stay the leader; a new one gets a new epoch."""
        shard = self.shards[number]
        free = shard.leader is None or (shard.lease_until or LONG_AGO) < self.clock()
        if shard.leader != leader and not free:
            return None
        shard.epoch += shard.leader != leader
        shard.leader = leader
        shard.lease_until = self.until(lease_seconds)
        return shard

    def check_shard(self, number: int, epoch: int, position: int) -> None:
        """The compare of the compare-and-swap. Raises LeadershipLost."""
        shard = self.shards[number]
        if (shard.epoch, shard.position) != (epoch, position):
            raise LeadershipLost(f"shard {number} is not at {position} with epoch {epoch}")

    def advance_shard_position(
        self, number: int, position: int, lease_seconds: float, created_from: int | None
    ) -> None:
        """The swap."""
        shard = self.shards[number]
        shard.created_from = created_from
        shard.position, shard.lease_until = position, self.until(lease_seconds)

    def commit_decisions(self, number: int, commit: Commit, lease_seconds: float) -> None:
        """One transaction of a shard's coordinator. Raises LeadershipLost or StreamMoved."""
        self.check_shard(number, commit.epoch, commit.old)
        self._check_queue(commit)
        if commit.limits is not None:
            self.limits.check(commit.limits)
        self.log.check(commit.events)
        self.advance_shard_position(number, commit.new, lease_seconds, commit.created_from)
        self.delete(self.submissions, commit.submissions)
        self.delete(self.queue, commit.dropped)
        self.signal_cancel(commit.signalled)
        self.enqueue_steps(commit.queued)
        self.upsert_steps(commit.steps)
        self.upsert_tasks(commit.tasks)
        self.delete(self.timers, commit.untimed)
        self.upsert_timers(commit.timers)
        if commit.limits is not None and self.limits.store(commit.limits):
            self.notify("room")
        if commit.answers:
            self.notify("ended")
        self.log.append(commit.events)

    def _check_queue(self, commit: Commit) -> None:
        dropped = set(commit.dropped)
        seen: set[UUID] = set()
        for row in commit.queued:
            step = row["step_id"]
            if step in seen or (step in self.queue and step not in dropped):
                raise StreamMoved(f"step {step} is queued")
            seen.add(step)

    @staticmethod
    def delete(table: dict[K, Any], keys: Iterable[K]) -> None:
        """Delete rows that may be there."""
        for key in keys:
            table.pop(key, None)

    def enqueue_steps(self, rows: Sequence[dict[str, Any]]) -> None:
        """Queue steps and wake the workers."""
        for row in rows:
            given = {name: row[name] for name in GIVEN}
            exclusive = row.get("exclusive", False)
            worker = row.get("worker")
            queued = Queued(**given, exclusive=exclusive, queued=self.number(), worker_id=worker)
            self.queue[queued.step_id] = queued
        if rows:
            self.notify("queue")

    def signal_cancel(self, steps: Sequence[UUID]) -> None:
        """Tell the workers that run these steps to stop."""
        for step in steps:
            row = self.queue.get(step)
            if row is not None:
                row.cancelling = True
                row.version += 1
        if steps:
            self.notify("cancel")

    def upsert_steps(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store the readiness of steps."""
        for row in rows:
            self.steps[row["task_id"], row["step"]] = row

    def upsert_tasks(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store the state of tasks; wake who waits for one that ended."""
        for row in rows:
            self.tasks[row["task_id"]] = {"fairness_key": None, **row}
        if any(row["ended_at"] for row in rows):
            self.notify("ended")

    def upsert_timers(self, rows: Sequence[dict[str, Any]]) -> None:
        """Set timers; a step has at most one."""
        for row in rows:
            self.timers[row["step_id"]] = row

    # The worker's side

    def claim_steps(
        self, worker: UUID, templates: Collection[UUID], limit: int, near: Nearby
    ) -> list[Queued]:
        """Give a worker at most so many queued steps; an isolated one a step that is alone."""
        isolated = worker in self.workers and self.workers[worker].condition == "isolated"
        free = (
            row
            for row in self.queue.values()
            if row.worker_id is None and row.template_id in templates and row.exclusive == isolated
        )
        limit = min(limit, 1) if isolated else limit
        claimed = sorted(free, key=lambda row: (self.turn(row, near), row.queued))[:limit]
        for row in claimed:
            row.worker_id = worker
        return claimed

    def turn(self, row: Queued, near: Nearby) -> float:
        """Its sort key, as it counts for a worker to which these shards are near."""
        here = not near.shards or any(self.is_in(shard, row.task_id) for shard in near.shards)
        return row.sort_key + (0.0 if here else near.locality_seconds)

    def may_start(self, worker: UUID) -> bool:
        """Whether the worker may start what no claim gave it."""
        known = self.workers.get(worker)
        unexpired = known is not None and known.lease_until > self.clock()
        return known is not None and unexpired and known.condition != "isolated"

    def front_of_queue(self, templates: Collection[UUID], near: Nearby) -> float:
        """The smallest sort key that any worker may claim of these, or infinity."""
        return min((self.turn(row, near) for row in self.free_rows(templates)), default=inf)

    def free_rows(self, templates: Collection[UUID]) -> list[Queued]:
        """The rows that any worker of these templates may claim."""
        return [
            row
            for row in self.queue.values()
            if row.worker_id is None and row.template_id in templates and not row.exclusive
        ]

    def report_outcomes(
        self, worker: UUID, facts: Sequence[StepEvent], released: Collection[UUID], *, quiet: bool
    ) -> frozenset[UUID]:
        """Append facts and release the steps that ended. Returns the refused streams.

        The row of a refused step goes too, unless it is further on than the fact knows.
        """
        by_step = {fact.originator_id: fact for fact in facts}
        for step in released:
            self._release(worker, by_step[step])
        refused = self.log.append_per_stream(facts)
        for step in refused:
            self._release(worker, by_step[step])
        if not quiet:
            self.notify("fact")
        return refused

    def _release(self, worker: UUID, fact: StepEvent) -> None:
        row = self.queue.get(fact.originator_id)
        ends = not isinstance(fact, StepStarted)
        if row and row.worker_id == worker and row.version + ends < fact.originator_version:
            del self.queue[fact.originator_id]

    def holds(self, worker: UUID) -> bool:
        """Whether the worker has claimed steps."""
        return any(row.worker_id == worker for row in self.queue.values())

    def lease_ends(self) -> list[datetime]:
        """When the leases of workers have run out that have not yet."""
        now, moment = self.clock(), timedelta(milliseconds=1)
        return [one.lease_until + moment for one in self.workers.values() if one.lease_until >= now]

    def is_lost(self, worker: UUID) -> bool:
        """Whether nobody may count on the worker any more."""
        found = self.workers.get(worker)
        return found is None or found.lease_until < self.clock()
