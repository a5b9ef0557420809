"""The port of projections for the client: their status, rebuilds and parked events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, TypedDict
from uuid import UUID

Standing = Literal[
    "caught_up",
    "running",
    "rebuilding",
    "paused",
    "event_failed",
    "no_host",
    "stalled",
]


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """How a generation of a projection stands.

    `standing` says why it stands still, or that it does not. `behind` counts places in the log up
    to its `head`, `lag_seconds` is the age of the oldest event that is not in the rows. `rate` is
    in places a second since the generation was made; None before the first batch. `parked` counts
    the events that it put aside by itself, `skipped` those that an operator had it pass over.
    `code_changed`: a process had other code of the same version than that it was built with.
    """

    name: str
    generation: int
    version: int
    state: Literal["building", "serving", "inline"]
    standing: Standing
    healthy: bool
    position: int
    head: int
    behind: int
    lag_seconds: float
    host: str | None
    pid: int | None
    failed_position: int | None
    failure: str | None
    failures: int
    parked: int
    rate: float | None
    seconds_left: float | None
    created_at: datetime | None
    moved_at: datetime | None
    skipped: int
    code_changed: bool


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A rebuild that was asked for: which projection, what of it, and its number.

    The number of a rebuild of the whole is that of its `generation`, those of some tasks'
    rows are counted by themselves: alone it does not say which rebuild it is.
    """

    projection: str
    kind: Literal["generation", "tasks"]
    number: int


class RebuildStatus(NamedTuple):
    """How a rebuild stands: how many tasks are done, and what failed.

    Of the whole of a projection it is `done` when the generation serves, or a later one does, and
    `cancelled` where it was given up; while it is `asked`, the error says why it waits. `tasks` are
    counted only where some tasks' rows are made anew in place.
    """

    state: Literal["asked", "done", "cancelled", "failed"]
    tasks: int
    error: str | None


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """A parked event of a projection; `requested_action` is `retry`, `drop`, or None.

    `skipped_at` says since when it is passed over because an operator said so; None of the others.
    """

    generation: int
    position: int
    task_id: UUID | None
    topic: str | None
    error: str
    parked_at: datetime
    requested_action: str | None
    skipped_at: datetime | None = None


class SkippedEvent(NamedTuple):
    """An event that a generation was made to pass over, and what had failed on it."""

    generation: int
    task_id: UUID | None
    topic: str
    error: str


class Word(TypedDict):
    """What goes with whatever an operator does: who does it and why. Both are recorded."""

    actor: str
    reason: str


class ProjectionStore(Protocol):
    """The rows of the projections. Methods raise DatabaseUnavailable.

    Those that are given a word change something; then they record it, with the word, in the same
    transaction. They raise InvalidRequest for a word that says nothing, or cannot be stored.
    """

    def status(self, patience_seconds: float) -> Sequence[ProjectionStatus]:
        """Every generation that is not retired, and the inline models."""
        ...

    def reached(self, name: str) -> int | None:
        """The position up to which a projection's rows are complete; None: there is none."""
        ...

    def head(self) -> int:
        """The last position of the log."""
        ...

    def pause(self, name: str, *, paused: bool, word: Word) -> int:
        """Let it stand still, or go on; how many generations that concerns."""
        ...

    def rebuild(self, name: str, word: Word, key: str | None) -> int | None:
        """Build it anew beside what serves; the generation, None: there is none of the name.

        With a key, once: then that of the first time. Raises MaybeStored.
        """
        ...

    def rebuild_tasks(
        self,
        name: str,
        task: UUID | None,
        template: tuple[str, UUID] | None,
        word: Word,
        key: str | None,
    ) -> int:
        """Build the rows of a task, or of a template's tasks, anew in place; the rebuild's id.

        With a key, once: then that of the first time. Raises MaybeStored.
        """
        ...

    def rebuild_state(self, rebuild: Rebuild) -> RebuildStatus | None:
        """The state of a rebuild, how many tasks are done, and its error; None: there is none."""
        ...

    def cancel_rebuild(self, name: str, word: Word) -> int:
        """Give up what is being built; how many."""
        ...

    def parked(self, name: str) -> Sequence[ParkedEvent]:
        """Parked events, in the order of the log."""
        ...

    def traceback(self, name: str, generation: int, position: int) -> str | None:
        """Where a generation raised on the event at a position; None where nobody knows."""
        ...

    def want_parked(
        self,
        name: str,
        wanted: Literal["retry", "drop"],
        task: UUID | None,
        position: int | None,
        word: Word,
    ) -> int:
        """Ask that parked events are retried or dropped; how many."""
        ...

    def skip(self, name: str, position: int, word: Word) -> SkippedEvent | None:
        """Have it pass over the event at which it stands; None: there is none of the name.

        Raises ProjectionRefused where it does not stand at that position.
        """
        ...

    def remove(self, name: str, word: Word) -> bool:
        """Have it forgotten, with its rows; whether there was one. Raises ProjectionRefused."""
        ...
