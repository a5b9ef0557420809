"""The port of the client: submit tasks, read them, and wait for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from flowledger.engine.domain.explain.live_state import LiveState
from flowledger.engine.domain.handler_protocol import Sessions
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.requests import RequestGranted, RequestRefused, TaskRequest
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateResumed

Answer = RequestGranted | RequestRefused


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
    paused: bool
    priority: int
    correlation_id: str
    created_at: datetime
    ended_at: datetime | None
    fairness_key: str | None


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


class Tasks(Sessions, Protocol):
    """The application's side of the store: submit, look, wait."""

    def register(self, template: Template) -> None:
        """Record the definition once. Raises DefinitionChanged."""
        ...

    def served_by(self, template_id: UUID) -> Sequence[str]:
        """The live workers that run steps of the template: `process 4711 on host ada`."""
        ...

    def template(self, template_id: UUID) -> Template:
        """A registered definition. Raises UnknownTemplate."""
        ...

    def pause_template(self, template_id: UUID, event: TemplatePaused | TemplateResumed) -> bool:
        """Append it as the next. Returns whether it changed anything. Raises UnknownTemplate."""
        ...

    def submit(
        self,
        created: Sequence[TaskCreated],
        connection: object | None,
        *,
        only_new: bool,
        ids_given: bool = False,
    ) -> Sequence[UUID]:
        """Store tasks in one transaction, or on the caller's connection in the caller's.

        Returns for each the task that has its identity; with `only_new` raises DuplicateTask
        where that is another one, and stores none. `ids_given`: the ids are the caller's, and not
        made for these tasks; raises InvalidSubmission, and stores none, where one of them stands
        for something else.
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

    def surroundings(self, task_id: UUID) -> tuple[Snapshot, LiveState]:
        """A snapshot of the task, and what stood around it at that moment."""
        ...

    def last_events(self, streams: Sequence[UUID], until: int) -> Mapping[UUID, Recorded]:
        """The last event of each of these streams up to a position; of an empty one none."""
        ...

    def last_position(self) -> int:
        """Where the log ends."""
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
