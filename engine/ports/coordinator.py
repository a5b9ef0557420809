"""The port of the coordinator: the log it decides on, its commits, and the shards it leads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from flowledger.engine.domain.limits.admission import LimitChanges, LimitState
from flowledger.engine.domain.limits.circuit_breaker import StoredCircuit
from flowledger.engine.domain.limits.concurrency_slots import OlderWaiter
from flowledger.engine.domain.shard_assignment import Members
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.base import Event, Recorded, StepEvent, TaskEvent, Unreadable
from flowledger.engine.events.step import StepStarted
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.parked_tasks import ParkedTasks
from flowledger.engine.ports.worker import NOWHERE, Claim, Exchange, Nearby

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Leadership:
    """The right to decide for a shard: valid while the epoch stands, from this position on."""

    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Due:
    """What time asks for: timers that fired, steps whose worker went silent, when to ask again.

    A timer is a task, a step (empty where it is the task's own) and its kind. `now` is the time by
    which they are due, the database's: the clock of this process may be a little behind. `next_at`
    is that of the next timer, and `silent_at` when the first of the workers' leases runs out.
    `submissions`, `wanted`: whether there may be such.
    """

    timers: Sequence[tuple[UUID, str, str]]
    lost: Sequence[tuple[UUID, str, UUID]]
    next_at: datetime | None
    now: datetime = field(compare=False)
    silent_at: datetime | None = field(default=None, compare=False)
    submissions: bool = field(default=True, compare=False)
    wanted: bool = field(default=True, compare=False)


@dataclass(slots=True)
class Commit:
    """One transaction of the coordinator. Rows are dictionaries named like the columns.

    `dropped` and `signalled` are steps whose queue rows go, or whose holders shall stop; `answers`
    says that somebody may wait for one of the events. `limits` is None where none were touched.
    `starts` are of steps that are queued in the same commit, with the worker in their rows. Tasks
    that were created behind `created_from` and before `new` are still to be decided on.
    """

    epoch: int
    old: int
    new: int
    events: list[Event] = field(default_factory=list[Event])
    dropped: list[UUID] = field(default_factory=list[UUID])
    signalled: list[UUID] = field(default_factory=list[UUID])
    queued: list[Row] = field(default_factory=list[Row])
    steps: list[Row] = field(default_factory=list[Row])
    tasks: list[Row] = field(default_factory=list[Row])
    untimed: list[UUID] = field(default_factory=list[UUID])
    timers: list[Row] = field(default_factory=list[Row])
    submissions: list[int] = field(default_factory=list[int])
    answers: bool = False
    limits: LimitChanges | None = None
    starts: list[StepStarted] = field(default_factory=list[StepStarted])
    created_from: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerPart:
    """What a worker of the same process brings to a joint round: facts, and what it would run.

    Each fact ends an attempt of a step of its own. At most `limit` steps of `templates` are
    started, `alone` only those that are to run so. `looks`: there may be some in the queue, of
    which those `near` come first.
    """

    worker: UUID
    facts: Sequence[StepEvent]
    templates: Sequence[UUID]
    limit: int
    looks: bool = True
    alone: bool = False
    near: Nearby = NOWHERE


@dataclass(frozen=True, slots=True)
class Start:
    """A StepStarted that the store has written for a worker's claim."""

    event_id: UUID
    worker: UUID
    claim: Claim


@dataclass(frozen=True, slots=True)
class JointAnswer:
    """What a joint round has led to: the shard's position, and what the worker may run.

    `starts` are those of this shard; they are the first facts behind the position. `front` is the
    smallest sort key that is left in the queue of the worker's templates, infinity where nothing
    is, and None where nobody looked. `created_from`: behind it, and before the position, tasks were
    created meanwhile, and are not decided on.
    """

    position: int
    exchange: Exchange
    starts: Sequence[Start]
    front: float | None
    created_from: int | None


class Coordinators(Protocol):
    """The coordinators of a worker's own process."""

    @property
    def leading(self) -> Sequence[int]:
        """The shards that they lead right now."""
        ...

    def of_shards(self, facts: Sequence[StepEvent]) -> Sequence[Sequence[StepEvent]]:
        """The facts that they can take, those of each shard together."""
        ...

    def join(self, part: WorkerPart) -> Exchange | None:
        """Have one of them take the part, whose facts are of its shard.

        None where that is not possible right now.
        """
        ...

    def went_apart(self, tasks: Iterable[UUID]) -> None:
        """Steps of these were reported or claimed without them."""
        ...


class NoCoordinators:
    """There are none."""

    leading: Sequence[int] = ()

    def of_shards(self, facts: Sequence[StepEvent]) -> Sequence[Sequence[StepEvent]]:
        """Nobody takes any."""
        return ()

    def join(self, part: WorkerPart) -> None:
        """Nobody takes it."""

    def went_apart(self, tasks: Iterable[UUID]) -> None:
        """Nobody is told."""


ALONE = NoCoordinators()


class WaitsForTurn(NamedTuple):
    """A pending task with a fairness key; `since` is when the oldest of its priority was created.

    Of those that were found.
    """

    template_id: UUID
    task_id: UUID
    priority: int
    fairness: str
    since: datetime


class Waiting(NamedTuple):
    """Who waits to begin: templates with their tasks, and those that take turns."""

    by_age: Sequence[tuple[UUID, UUID]]
    in_turn: Sequence[WaitsForTurn] = ()


class CoordinatorStore(ParkedTasks, Protocol):
    """The coordinator's side. Every method raises DatabaseUnavailable when it is cut off."""

    def lead(self, leader: UUID, lease_seconds: float) -> Leadership | None:
        """Become or stay the leader; None while another is."""
        ...

    def resign(self, epoch: int) -> None:
        """Let another lead at once."""
        ...

    def facts(self, after: int, limit: int) -> Sequence[Recorded | Unreadable]:
        """Facts behind a position, in order."""
        ...

    def created_from(self) -> int | None:
        """Behind this position tasks were created that are not decided on; None: all are."""
        ...

    def creations(self, after: int, until: int, limit: int) -> Sequence[Recorded | Unreadable]:
        """Of the facts between two positions those that created tasks, in order."""
        ...

    def safe_position(self, after: int) -> int:
        """How far one may go on from a position without passing over a fact."""
        ...

    def last_decided(self, after: int) -> int | None:
        """The last fact behind a position that the log has a decision on; None: there is none."""
        ...

    def task_events(self, task_id: UUID, until: int) -> Sequence[TaskEvent]:
        """Its creation, its facts up to a position and all decisions about it, in order."""
        ...

    def events_of_tasks(
        self, tasks: Sequence[UUID], until: int
    ) -> Mapping[UUID, Sequence[TaskEvent]]:
        """`task_events` of several. Those of a task of which one cannot be read are left out."""
        ...

    def waiting_to_begin(
        self,
        limit: int,
        full: Sequence[UUID],
        ageing_seconds: float,
        after: Mapping[UUID, str] | None = None,
    ) -> Waiting:
        """Pending tasks, but for those of the templates in `full`.

        Of each template at most `limit`, in the order in which they are to begin: by their age, of
        which a point of priority is worth so many seconds.

        With `after` also those with a fairness key: of each template and priority at most `limit`
        keys, from the one behind that of `after` on and around, and of each key its oldest tasks,
        so many that there are `limit` of all, but four at least. They come by template, those of
        the priority first that is the oldest, and then by key.
        """
        ...

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        ...

    def due(self, limit: int, *, orphans: bool) -> Due:
        """What the clock asks for; with `orphans`, steps of unknown workers are lost too."""
        ...

    def unqueued(self, limit: int) -> Sequence[tuple[UUID, str]]:
        """Steps that should be queued, or in a worker's hands, and may not be."""
        ...

    def queued_of(
        self, templates: Sequence[UUID], systems: Sequence[str], limit: int
    ) -> Sequence[tuple[UUID, str]]:
        """Queued steps of these that nobody has claimed; what would be claimed last comes first."""
        ...

    def submissions(self, limit: int) -> Sequence[TaskCreated | Unreadable]:
        """Tasks left by applications in transactions of their own, oldest first."""
        ...

    def limits(self) -> LimitState:
        """What is stored of limits, with the steps of the shard that wait."""
        ...

    def limits_now(self, keys: Sequence[str]) -> tuple[Mapping[str, int], Sequence[StoredCircuit]]:
        """How many slots of these keys are in use, 0 included, and every circuit."""
        ...

    def older_waiters(self, sort_keys: Mapping[str, float]) -> Sequence[OlderWaiter]:
        """Steps of other shards that wait for slots of these keys with smaller sort keys than
        these."""
        ...

    def vacuum_queue(self) -> None:
        """Clear away what many queued steps left behind."""
        ...

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing. Raises LeadershipLost, or StreamMoved."""
        ...

    def commit_jointly(self, commit: Commit, part: WorkerPart, known: int) -> JointAnswer:
        """As `commit`, with the worker's facts before the decisions, and its claims after them.

        Claims are made where the part looks for them, up to its limit. The position moves past the
        facts and the commit's starts, whatever `commit.new` says. Raises StreamMoved, too, where
        others of the shard's facts stand before these than so many that are `known`, but for those
        that created tasks, and where the worker may start nothing.
        """
        ...


class ShardStore(Protocol):
    """The rows of the processes and of the shards. Raises DatabaseUnavailable when cut off."""

    def heartbeat(
        self,
        process: UUID,
        lease_seconds: float,
        led: Sequence[int] = (),
        *,
        there_seconds: float | None = None,
        every: float | None = None,
    ) -> Members:
        """Say that the process is there for so long and leads these shards; see who else is.

        `there_seconds`: for how long it is there, where not for a lease. `every`: so many seconds
        until it asks again.
        """
        ...

    def deregister(self, process: UUID) -> None:
        """The process takes no share any more."""
        ...
