"""What the store has of a task and its steps, beside the log: rows as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


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
class Claim:
    """A step that this worker may run; its stream stands at `version`, the StepStarted.

    `resets` counts how often an operator had it begin anew. Nothing that the worker tells of it
    happened before `at`, the time of the last event that is known of its stream.
    """

    step_id: UUID
    task_id: UUID
    template_id: UUID
    version: int
    attempt: int
    step: str
    correlation_id: str
    resets: int = 0
    at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Held:
    """A running step as the board has it: its stream stands at `version`; it may have to stop.

    `at` is when it was told to.
    """

    version: int
    attempt: int
    cancelling: bool
    at: datetime | None = field(default=None, compare=False)
