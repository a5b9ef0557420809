"""The base classes of events: position in a stream, cause, correlation, task.

An event knows its place: `originator_id` and `originator_version` are the stream and the version in
it, which is also where the `eventsourcing` library looks for them. These and `task_id` are columns
of the log; everything else is in the payload. The position in the whole log is no part of an event:
`Recorded` has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """What every event carries. Times are UTC; ids of events are UUIDv7."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: ClassVar[str]
    current_version: ClassVar[int] = 1

    originator_id: UUID
    originator_version: int = Field(ge=1)
    event_id: UUID
    occurred_at: datetime
    correlation_id: str
    causation_id: UUID | None = None
    actor: str | None = None
    schema_version: int = 1

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """An event from fields that need no check, since the engine itself made them.

        Equal to the checked one, in a sixth of the time; what comes from outside is validated.
        """
        event = cls.__new__(cls)
        object.__setattr__(event, "__dict__", defaults_of(cls) | fields)
        object.__setattr__(event, "__pydantic_fields_set__", set(fields))
        object.__setattr__(event, "__pydantic_extra__", None)
        object.__setattr__(event, "__pydantic_private__", None)
        return event


@cache
def defaults_of(kind: type[Event]) -> dict[str, Any]:
    """Every field of an event in its order, with the default of those that have one."""
    return {
        name: None if field.is_required() else field.default
        for name, field in kind.model_fields.items()
    }


class TaskEvent(Event):
    """Something happened to a task or to one of its steps."""

    task_id: UUID
    namespace: str
    template: str


class StepEvent(TaskEvent):
    """Something happened to a step. `attempt` counts its starts, from 1."""

    step: str
    attempt: int = Field(ge=0)


class Recorded(NamedTuple):
    """An event with its position in the log, and when it was recorded; `Placed` has no time."""

    position: int
    recorded_at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place in the log whose event cannot be read, and why; `task_id` is whose it is."""

    position: int
    task_id: UUID | None
    reason: str


E_co = TypeVar("E_co", bound=Event, covariant=True)
Placed: TypeAlias = tuple[int, E_co]
"""An event with its position in the log, where it does not matter when it was recorded."""
