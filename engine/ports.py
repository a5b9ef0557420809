"""What the loops and the facade ask of the outside: a log to decide on, a board to work from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.events import Event, StepEvent, TaskCreated, TaskEvent
from flowledger.engine.domain.template import Template


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the whole log."""

    position: int
    recorded_at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Leadership:
    """The right to decide for a shard: valid while the epoch stands, from this position on."""

    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Due:
    """What time asks for: timers that rang, steps whose worker went silent, when to ask again."""

    timers: Sequence[tuple[UUID, str, str]]
    lost: Sequence[tuple[UUID, str, UUID]]
    next_at: datetime | None


Row = dict[str, Any]


@dataclass(slots=True)
class Commit:
    """One transaction of the coordinator. Rows are dictionaries named like the columns."""

    epoch: int
    old: int
    new: int
    events: list[TaskEvent] = field(default_factory=list[TaskEvent])
    dropped: list[UUID] = field(default_factory=list[UUID])
    queued: list[Row] = field(default_factory=list[Row])
    steps: list[Row] = field(default_factory=list[Row])
    tasks: list[Row] = field(default_factory=list[Row])
    untimed: list[UUID] = field(default_factory=list[UUID])
    timers: list[Row] = field(default_factory=list[Row])
    submissions: list[int] = field(default_factory=list[int])


class Ledger(Protocol):
    """The coordinator's side. Every method raises DatabaseUnavailable when it is cut off."""

    def lead(self, leader: UUID, lease_seconds: float) -> Leadership | None:
        """Become or stay the leader; None while another is."""
        ...

    def resign(self, epoch: int) -> None:
        """Let another lead at once."""
        ...

    def facts(self, after: int, limit: int) -> Sequence[Recorded]:
        """Facts behind a position, in order."""
        ...

    def task_events(self, task_id: UUID, until: int) -> Sequence[TaskEvent]:
        """Its creation, its facts up to a position and all decisions about it, in order."""
        ...

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        ...

    def due(self, limit: int, *, orphans: bool) -> Due:
        """What the clock asks for; with `orphans`, steps of unknown workers are lost too."""
        ...

    def unqueued(self, limit: int) -> Sequence[tuple[UUID, str]]:
        """Steps that should be queued and may not be."""
        ...

    def submissions(self, limit: int) -> Sequence[TaskCreated]:
        """Tasks left by applications in transactions of their own, oldest first."""
        ...

    def tidy(self) -> None:
        """Clear away what many queued steps left behind."""
        ...

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing. Raises LeadershipLost, or StreamMoved."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """A step that this worker may run; its stream stands at `version`, the StepStarted."""

    step_id: UUID
    task_id: UUID
    template_id: UUID
    version: int
    attempt: int
    step: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came of one exchange with the board: steps to run, and facts that were refused."""

    claims: Sequence[Claim]
    refused: frozenset[UUID]


class Workboard(Protocol):
    """The worker's side. Every method raises DatabaseUnavailable when it is cut off."""

    def renew(self, worker: UUID, lease_seconds: float) -> None:
        """Register the worker, or renew its lease."""
        ...

    def retire(self, worker: UUID) -> None:
        """Forget the worker; what it still holds counts as lost."""
        ...

    def exchange(  # noqa: PLR0913 - one transaction, so one call
        self,
        worker: UUID,
        facts: Sequence[StepEvent],
        templates: Sequence[UUID],
        limit: int,
        started: Callable[[Claim], StepEvent],
        *,
        quiet: bool,
    ) -> Exchange:
        """Append facts and release their steps; claim up to `limit` steps and append their starts.

        One transaction. A refused start is not among the claims. `quiet`: wake no coordinator.
        """
        ...

    def held(self, worker: UUID) -> Sequence[Claim]:
        """The steps that the board believes this worker to run."""
        ...

    def contexts(self, tasks: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The contexts of tasks."""
        ...

    def results(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The results of completed steps; the others are left out."""
        ...


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as its read model has it."""

    task_id: UUID
    template_id: UUID
    namespace: str
    template: str
    version: str
    state: str
    stream_version: int
    priority: int
    correlation_id: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step as its read model has it; a step without a row is pending."""

    step: str
    state: str
    attempt: int
    stream_version: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many steps of a task are in which state, pending ones left out, and some that run."""

    steps: Mapping[str, int]
    running: Sequence[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A task at one moment: what the rows say, its history, the position of the coordinator."""

    position: int
    task: TaskRow | None
    steps: Sequence[StepRow]
    history: Sequence[Recorded]


class Tasks(Protocol):
    """The application's side of the store: submit, look, wait."""

    def register(self, template: Template) -> None:
        """Record the definition once. Raises DefinitionChanged."""
        ...

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        ...

    def submit(
        self, created: Sequence[TaskCreated], connection: object | None, *, only_new: bool
    ) -> Sequence[UUID]:
        """Store tasks in one transaction, or on the caller's connection in the caller's.

        Returns for each the task that has its identity; with `only_new` raises DuplicateTask
        where that is another one, and stores none.
        """
        ...

    def task(self, task_id: UUID) -> TaskRow | None:
        """The task's row; None where the coordinator has not seen it."""
        ...

    def steps(self, task_id: UUID) -> Sequence[StepRow]:
        """The rows of the task's steps."""
        ...

    def templates(self) -> Sequence[tuple[str, str, str, str]]:
        """Namespace, name, version and hash of every registered template."""
        ...

    def known(self, task_id: UUID) -> bool:
        """Whether the task was submitted, be it seen by the coordinator or not."""
        ...

    def history(self, task_id: UUID) -> Sequence[Recorded]:
        """Every event of the task, in log order."""
        ...

    def progress(self, task_id: UUID, names: int) -> Progress:
        """How far the task is, with the names of at most so many running steps."""
        ...

    def snapshot(self, task_id: UUID) -> Snapshot:
        """Rows, history and position as they stood together."""
        ...

    def ended(self, tasks: Sequence[UUID]) -> Sequence[UUID]:
        """Those of the tasks that have ended."""
        ...


class Clock(Protocol):
    """The engine's time."""

    def now(self) -> datetime:
        """The time by which everything is decided, UTC."""
        ...


class Bell(Protocol):
    """Something to wait on: remembers which channels rang since it was last asked."""

    def wait(self, seconds: float) -> frozenset[str]:
        """The channels that rang; empty when the time is up. Clears them."""
        ...

    def ring(self, channel: str) -> None:
        """Ring from within this process."""
        ...


class FaultPoints(Protocol):
    """Named places where a crash would be interesting. Does nothing in production."""

    def reached(self, point: str) -> None:
        """Called when the point is reached."""
        ...


class NoFaults:
    """The fault points of production."""

    def reached(self, point: str) -> None:
        """Nothing happens."""


NO_FAULTS = NoFaults()
