"""The kinds of reasons why a step does not run or a task has not ended, and their sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.base import Event


class ReasonKind(StrEnum):
    """What kind of reason it is. The order is that of explanations: the most decisive first."""

    PARKED = "parked"
    ENDED = "ended"
    DEPENDENCY_FAILED = "dependency_failed"
    BLOCKED = "blocked"
    PAUSED = "paused"
    SUBMITTED = "submitted"
    COORDINATOR_BEHIND = "coordinator_behind"
    ROW_MISSING = "row_missing"
    DELAYED_START = "delayed_start"
    WAITS_TO_BEGIN = "waits_to_begin"
    NO_WORKER = "no_worker"
    LEASE_LOST = "lease_lost"
    CIRCUIT_OPEN = "circuit_open"
    CONCURRENCY = "concurrency"
    RATE_LIMIT = "rate_limit"
    UNRECORDED = "unrecorded"
    WORKER_BUSY = "worker_busy"
    RETRY = "retry"
    QUEUED = "queued"
    RUNNING = "running"
    DEPENDENCY = "dependency"
    DEADLINE = "deadline"
    PROJECTION_BEHIND = "projection_behind"


RANKS: Mapping[ReasonKind, int] = {kind: rank for rank, kind in enumerate(ReasonKind)}

NOT_IN_THE_LOG = (
    "where workers are and whether their leases stand",
    "places in the queue",
    "what concurrency and rate limits had in use",
    "how far coordinators and projections had come",
)
"""What an explanation as of an earlier event cannot know."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that a reason comes from, and its place in the log."""

    event_id: UUID
    position: int
    topic: str
    occurred_at: datetime
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason, for people in `sentence` and for programs in the rest.

    `steps` are those that it holds, none where it is about the task as a whole. `earliest` is when
    it can change at the earliest, None where that is not known: somebody must act, or something
    must happen first. `command` is what somebody may run then, with capitals for what only they
    know; None where nobody need do anything, or nothing can be done. `about` names what it is that
    stands in the way, the dependency, the key of the limit, the system, the worker or the template;
    `details` are JSON values by name, times in ISO 8601, durations in seconds.
    """

    kind: ReasonKind
    sentence: str
    about: str = ""
    cause: Cause | None = None
    earliest: datetime | None = None
    details: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    steps: tuple[str, ...] = ()
    command: str | None = None

    @property
    def rank(self) -> int:
        """Where its kind stands in explanations."""
        return RANKS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The reasons, most decisive first, of a step or, without `step`, of a task.

    `now` is the engine's time that they hold at. With `log_only` they hold as of the event at
    `position`, and tell only what the log knows; `unrecorded` says what is missing then.
    """

    task_id: UUID
    step: str | None
    state: TaskState | StepState
    now: datetime
    position: int
    log_only: bool
    reasons: tuple[Reason, ...]

    def __iter__(self) -> Iterator[Reason]:
        return iter(self.reasons)

    def __len__(self) -> int:
        return len(self.reasons)

    def __getitem__(self, index: int) -> Reason:
        return self.reasons[index]

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """What cannot be told of an earlier time; nothing where the present is explained."""
        return NOT_IN_THE_LOG if self.log_only else ()

    @property
    def kinds(self) -> tuple[ReasonKind, ...]:
        """The kinds of the reasons, in their order."""
        return tuple(reason.kind for reason in self.reasons)

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values, but for ids and times, which are as they are."""
        return {
            "task": self.task_id,
            "step": self.step,
            "state": self.state,
            "now": self.now,
            "position": self.position,
            "log_only": self.log_only,
            "unrecorded": self.unrecorded,
            "reasons": [asdict(reason) for reason in self.reasons],
        }


def cause_of(position: int, event: Event) -> Cause:
    """The event as a cause."""
    return Cause(event.event_id, position, event.topic, event.occurred_at, event.actor)


def in_order(reasons: list[Reason]) -> tuple[Reason, ...]:
    """The most decisive first; those of a kind as they came."""
    return tuple(sorted(reasons, key=lambda reason: reason.rank))
