"""What the loops and the facade ask of the outside: a log to decide on, a board to work from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.explain.live_state import Surroundings
from flowledger.engine.domain.handler_protocol import Sessions
from flowledger.engine.domain.limits.admission import GateChanges, GateState
from flowledger.engine.domain.limits.circuits import Kept
from flowledger.engine.domain.limits.elders import Elder
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.base import Event, StepEvent, TaskEvent
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.requests import RequestGranted, RequestRefused, TaskRequest
from flowledger.engine.events.step import (
    StepCheckpointed,
    StepCompleted,
    TaskCreated,
    TemplatePaused,
    TemplateResumed,
)
from flowledger.engine.ports.client import Claim, Held, Progress, StepRow, TaskRow
from flowledger.engine.ports.parked_tasks import ParkedTasks


class Recorded(NamedTuple):
    """An event with its place in the whole log."""

    position: int
    recorded_at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place in the log whose event cannot be read, and why; `task_id` is whose it is."""

    position: int
    task_id: UUID | None
    reason: str


@dataclass(frozen=True, slots=True)
class Leadership:
    """The right to decide for a shard: valid while the epoch stands, from this position on."""

    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Due:
    """What time asks for: timers that rang, steps whose worker went silent, when to ask again.

    A timer is a task, a step (empty where it is the task's own) and its kind. `now` is the time by
    which they are due, the database's: the clock of this process may be a little behind.
    """

    timers: Sequence[tuple[UUID, str, str]]
    lost: Sequence[tuple[UUID, str, UUID]]
    next_at: datetime | None
    now: datetime = field(compare=False)


Row = dict[str, Any]


@dataclass(slots=True)
class Commit:
    """One transaction of the coordinator. Rows are dictionaries named like the columns.

    `dropped` and `signalled` are steps whose queue rows go, or whose holders shall stop; `answers`
    says that somebody may wait for one of the events. `limits` is None where none were touched.
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
    limits: GateChanges | None = None


class Ledger(ParkedTasks, Protocol):
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

    def passed(self, after: int) -> int:
        """How far one may go on from a position without passing over a fact."""
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

    def limits(self) -> GateState:
        """What is stored of limits, with the steps of the shard that wait."""
        ...

    def room(self, keys: Sequence[str]) -> tuple[Mapping[str, int], Sequence[Kept]]:
        """How many slots of these keys are in use, 0 included, and every circuit."""
        ...

    def elders(self, turns: Mapping[str, float]) -> Sequence[Elder]:
        """Steps of other shards that wait for slots of these keys with smaller turns than these."""
        ...

    def tidy(self) -> None:
        """Clear away what many queued steps left behind."""
        ...

    def commit(self, commit: Commit) -> None:
        """Store all of it or nothing. Raises LeadershipLost, or StreamMoved."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came of one exchange with the board: steps to run, and facts that were refused."""

    claims: Sequence[Claim]
    refused: frozenset[UUID]


class Workboard(Sessions, Protocol):
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

    def watch(self, worker: UUID, beats: Mapping[UUID, bytes | None]) -> Mapping[UUID, Held]:
        """Those of the steps that the worker still holds; notes heartbeats, JSON each, of some."""
        ...

    def checkpoint(self, worker: UUID, checkpoint: StepCheckpointed) -> Held | None:
        """Append it, at whatever version the board knows of; None where the step is another's."""
        ...

    def checkpoints(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """What was recorded last of each step; steps without a checkpoint are left out."""
        ...

    def isolate(self, worker: UUID, templates: Sequence[UUID]) -> bool:
        """Whether the worker shall take only steps that are to run alone, one at a time."""
        ...

    def wear(self, worker: UUID, *, worn_out: bool) -> None:
        """Note for people whether abandoned handlers keep the worker from claiming."""
        ...

    def contexts(self, tasks: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The contexts of tasks."""
        ...

    def results(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The results of completed steps; the others are left out."""
        ...


class Transactions(Protocol):
    """Runs handlers whose rows commit with the completion of their step."""

    def run(
        self,
        worker: UUID,
        claim: Claim,
        timeout_seconds: float | None,
        work: Callable[[object], StepCompleted],
    ) -> StepCompleted | None:
        """Call `work` with a cursor; what it wrote and what it returns are stored together.

        None where there was no connection to call it with. Raises what `work` raises, StepLost,
        TransactionEnded, and DatabaseUnavailable where the connection was lost before the commit;
        then nothing is stored, or the log refuses that the step failed.
        """
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A task at one moment: what the rows say, its history, the position of the coordinator."""

    position: int
    task: TaskRow | None
    steps: Sequence[StepRow]
    history: Sequence[Recorded]


Answer = RequestGranted | RequestRefused


class Tasks(Sessions, Protocol):
    """The application's side of the store: submit, look, wait."""

    def register(self, template: Template) -> None:
        """Record the definition once. Raises DefinitionChanged."""
        ...

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        ...

    def pause_template(self, template_id: UUID, event: TemplatePaused | TemplateResumed) -> bool:
        """Append it as the next. Returns whether it changed anything. Raises UnknownTemplate."""
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

    def surroundings(self, task_id: UUID) -> tuple[Snapshot, Surroundings]:
        """A snapshot of the task, and what stood around it at that moment."""
        ...

    def last_events(self, streams: Sequence[UUID], until: int) -> Mapping[UUID, Recorded]:
        """The last event of each of these streams up to a position; of an empty one none."""
        ...

    def now(self) -> datetime:
        """The engine's time, by the database."""
        ...

    def keep_time(self) -> None:
        """Ask the database what time it is, where nobody here has asked for long. Never raises."""
        ...

    def created(self, tasks: Sequence[UUID]) -> Mapping[UUID, TaskCreated]:
        """The first event of those of the tasks that a coordinator can decide about."""
        ...

    def request(self, requests: Sequence[TaskRequest], key: str) -> Sequence[UUID]:
        """Append requests, in one transaction, each to a stream of its own, which the key names.

        Returns the streams of those left out, that another request began. Raises MaybeStored.
        """
        ...

    def note(self, notes: Sequence[TaskNote], key: str) -> None:
        """Append notes, each to a stream of its own, unless it is there. Raises MaybeStored."""
        ...

    def requested(self, request: UUID) -> TaskRequest:
        """The request in a stream. Raises LogCorrupt where there is none."""
        ...

    def answers(self, requests: Sequence[UUID]) -> Mapping[UUID, Answer]:
        """What was answered to those of the requests that were."""
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
