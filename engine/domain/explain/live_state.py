"""The live state around a task that is not in its log: queue, workers, limits, leaders. Values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from flowledger.engine.domain.limits.circuit_breaker import StoredCircuit
from flowledger.engine.domain.limits.demand import Demand
from flowledger.engine.events.step import WaitReason

COUNTED = 1_000
"""How far is counted what comes before a step; more is said to be `1000 or more`.

Of a long queue only the first 20 times as many steps are looked at.
"""

SHOWN = 10
"""How many holders of a limit are named."""

PATIENCE = 1.0
"""Seconds that a projection on its way may take before it is said to be behind."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """A row of the queue, and the worker that holds it. `before` counts who comes first; with
    `more` there are steps before it that nobody looked at.

    The worker's `lease_until` is None where nobody knows the worker any more.
    """

    step: str
    exclusive: bool
    before: int | None
    worker: UUID | None = None
    host: str | None = None
    pid: int | None = None
    seen_at: datetime | None = None
    lease_until: datetime | None = None
    heartbeat_at: datetime | None = None
    more: bool = False

    @property
    def far_back(self) -> bool:
        """Whether so many come before it that what workers run at the moment says nothing of it."""
        return self.before is not None and (self.more or self.before >= COUNTED)


@dataclass(frozen=True, slots=True)
class ParkedStanding:
    """That the coordinator leaves the task alone, and why; `wanted`: it is to be tried again."""

    reason: str
    since: datetime
    tried_at: datetime
    wanted: bool


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker whose lease stands. `serves` and `concurrency` are None where it does not say.

    `running` is None where it was not counted, as that reads the whole queue. `namesakes` are the
    templates of the same name, in another namespace or version, that it serves. `excluded`: it has
    the code of the template, and its `worker.namespaces` keeps it from its steps.
    """

    worker: UUID
    host: str
    pid: int
    seen_at: datetime | None
    lease_until: datetime
    condition: str
    serves: bool | None
    concurrency: int | None
    running: int | None
    namesakes: Sequence[str] = ()
    excluded: bool = False

    @property
    def full(self) -> bool:
        """Whether all its places are taken, as far as the queue tells."""
        if self.concurrency is None or self.running is None:
            return False
        return self.running >= self.concurrency


@dataclass(frozen=True, slots=True)
class WaitStatus:
    """A step that is ready and was not admitted: what held it, all it needs, who is before it."""

    step: str
    kind: WaitReason
    key: str
    since: datetime
    until: datetime | None
    demand: Demand
    before: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A step that holds a slot of a limit."""

    step_id: UUID
    task_id: UUID
    step: str
    worker: UUID | None


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """What is in use of the limits that hold steps of the task, and some of the holders."""

    in_use: Mapping[str, int] = field(default_factory=dict[str, int])
    owners: Mapping[str, tuple[Holder, ...]] = field(default_factory=dict[str, tuple[Holder, ...]])
    expected: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    circuits: tuple[StoredCircuit, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """The shard of the task. `leader` is None where nobody leads; `head` is the log's end.

    Where the shard has no row, `position` is 0 and it is `missing`. `read_only` says that the
    settings of the database let nobody write.
    """

    shard: int
    position: int
    leader: UUID | None
    host: str | None
    pid: int | None
    lease_until: datetime | None
    head: int
    missing: bool = False
    read_only: bool = False

    @property
    def beyond(self) -> bool:
        """Whether it stands beyond the end of the log, so that what happens is passed over."""
        return self.position > self.head

    @property
    def reads(self) -> bool:
        """Whether somebody leads it and reads what happens."""
        return self.leader is not None and not self.beyond


@dataclass(frozen=True, slots=True)
class LaggingProjection:
    """A projection whose rows do not have the task's last event yet, and how it stands."""

    name: str
    position: int
    standing: str
    failed_position: int | None
    failure: str | None


class OpenSession(NamedTuple):
    """A session whose transaction has been open for long, by the server's time."""

    login: str
    pid: int
    open_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """All of it at one moment of the engine's time; queue rows and held steps by step.

    `parked` says why the coordinator leaves the task alone, where it does. `begin_before` counts
    the tasks of its template that begin before it, up to `COUNTED`; None where it has begun, or no
    coordinator has met it. `keys_in_turn` counts in the same way with how many other fairness keys
    it takes turns; None where it has none. `open_sessions` keep dead rows of the queue from being
    taken away, which slows claims down; the longest open comes first.
    """

    now: datetime
    shard: ShardStatus
    queue: Mapping[str, QueueStatus] = field(default_factory=dict[str, QueueStatus])
    waiting: Mapping[str, WaitStatus] = field(default_factory=dict[str, WaitStatus])
    workers: tuple[WorkerStatus, ...] = ()
    limits: LimitStatus = field(default_factory=LimitStatus)
    projections: tuple[LaggingProjection, ...] = ()
    parked: ParkedStanding | None = None
    registered: bool = True
    begin_before: int | None = None
    keys_in_turn: int | None = None
    open_sessions: tuple[OpenSession, ...] = ()
