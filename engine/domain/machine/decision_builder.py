"""Builds the events of one decision about one run: makes each, applies it, keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import caused_id, milliseconds, step_id
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import TaskRequest

T = TypeVar("T", bound=TaskEvent)
S = TypeVar("S", bound=StepEvent)


@dataclass(slots=True)
class DecisionBuilder:
    """The run, what led to the round, and what was decided so far.

    Due times count from `now`. The events happened `at` that time, or when the last thing happened
    that is known of the run, where a clock that is a little ahead has told of that. While `request`
    is set, its author is the actor of what is decided. `resumed`: the task was
    paused when the round began, and is not any more.
    """

    run: TaskRun
    cause: UUID
    now: datetime
    events: list[TaskEvent] = field(default_factory=list[TaskEvent])
    request: TaskRequest | None = None
    resumed: bool = False
    at: datetime = field(init=False)
    time: int = field(init=False)

    def __post_init__(self) -> None:
        self.at = max(self.now, self.run.latest)
        self.time = milliseconds(self.at)

    def task(self, kind: type[T], **data: Any) -> None:
        """Add an event to the task's stream."""
        self._add(kind, self.run.task_id, self.run.task.version, data)

    def step(self, kind: type[S], number: int, **data: Any) -> None:
        """Add an event to a step's stream."""
        name = self.run.plan.steps[number].name
        step = self.run.steps[number]
        data = {"step": name, "attempt": step.attempt, **data}
        self._add(kind, step_id(self.run.task_id, name), step.version, data)

    def reply(self, kind: type[T], request: TaskRequest, **data: Any) -> None:
        """Add the answer to a request to the request's stream."""
        stream, version = request.originator_id, request.originator_version
        self._add(kind, stream, version, {"request": stream, **data})

    def begin_wait(self, number: int, wait: Wait) -> None:
        """Leave a ready step where it is."""
        self.run.begin_wait(number, wait)

    def _add(self, kind: type[TaskEvent], stream: UUID, version: int, data: dict[str, Any]) -> None:
        template = self.run.plan.template
        cause = self.cause
        if self.request is not None:
            cause = self.request.event_id
            data["actor"] = self.request.actor
        event = kind.of(
            originator_id=stream,
            originator_version=version + 1,
            event_id=caused_id(cause, stream, version + 1, self.time),
            occurred_at=self.at,
            correlation_id=self.run.correlation_id,
            causation_id=cause,
            task_id=self.run.task_id,
            namespace=template.namespace,
            template=template.name,
            **data,
        )
        self.run.apply(event)
        self.events.append(event)
