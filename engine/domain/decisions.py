"""What the coordinator decides. Pure: the state of a task, the event that came, and the time.

`decide` looks at the state and not at the event, so it also finds what an earlier round left open:
a ready step that is not queued, a failed attempt without an answer, a task that should have ended.
Its events are applied to the run as they are made; an empty tuple says that there is nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from flowledger.engine.domain.events import (
    StepEnqueued,
    StepErrored,
    StepEvent,
    StepFailed,
    StepHandedBack,
    StepLeaseExpired,
    StepRetryScheduled,
    StepTimedOut,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskStarted,
)
from flowledger.engine.domain.ids import caused_id, chance, milliseconds, step_id
from flowledger.engine.domain.run import Run
from flowledger.engine.domain.states import StepState, TaskState

Decisions = tuple[TaskEvent, ...]
T = TypeVar("T", bound=TaskEvent)
S = TypeVar("S", bound=StepEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What bounds the decisions beside the template. `lost_leases`: how many a step survives."""

    lost_leases: int


@dataclass(slots=True)
class Round:
    """One round of deciding about one run: makes events, applies them, keeps them."""

    run: Run
    cause: UUID
    now: datetime
    made: list[TaskEvent] = field(default_factory=list[TaskEvent])
    time: int = field(init=False)

    def __post_init__(self) -> None:
        self.time = milliseconds(self.now)

    def task(self, kind: type[T], **data: Any) -> None:
        """Add an event to the task's stream."""
        stream, version = self.run.task_id, self.run.task.version
        self._add(kind, stream, version, data)

    def step(self, kind: type[S], number: int, **data: Any) -> None:
        """Add an event to a step's stream."""
        name = self.run.plan.steps[number].name
        step = self.run.steps[number]
        data = {"step": name, "attempt": step.attempt, **data}
        self._add(kind, step_id(self.run.task_id, name), step.version, data)

    def _add(self, kind: type[TaskEvent], stream: UUID, version: int, data: dict[str, Any]) -> None:
        template = self.run.plan.template
        event = kind.of(
            originator_id=stream,
            originator_version=version + 1,
            event_id=caused_id(self.cause, stream, version + 1, self.time),
            occurred_at=self.now,
            correlation_id=self.run.correlation_id,
            causation_id=self.cause,
            task_id=self.run.task_id,
            namespace=template.namespace,
            template=template.name,
            **data,
        )
        self.run.apply(event)
        self.made.append(event)


def decide(run: Run, cause: UUID, now: datetime, rules: Rules) -> Decisions:
    """Everything that the state of the run asks for, caused by the event of that id."""
    if run.ended or not run.asks:
        return ()
    this = Round(run, cause, now)
    if run.task.state is TaskState.PENDING:
        this.task(TaskStarted)
    for number in tuple(run.undecided):
        answer(this, number, run.undecided[number], rules)
    for number in sorted(run.ready):
        enqueue(this, number)
    if not run.active and not run.ready:
        end(this)
    return tuple(this.made)


def enqueue(this: Round, number: int) -> None:
    """Let a step run, unless its policy says that it never does."""
    if this.run.plan.steps[number].retry.max_attempts == 0:
        this.step(StepErrored, number, reason="never", message="the policy allows no attempt")
        return
    this.step(StepEnqueued, number, attempt=this.run.steps[number].attempt + 1)


def answer(this: Round, number: int, event: StepEvent, rules: Rules) -> None:
    """What follows when an attempt ended without a result."""
    if isinstance(event, StepHandedBack):
        enqueue(this, number)
    elif isinstance(event, StepLeaseExpired):
        answer_lost_lease(this, number, rules)
    elif isinstance(event, StepFailed) and not event.error.retryable:
        this.step(StepErrored, number, reason="permanent", message=event.error.message)
    else:
        retry(this, number, event)


def answer_lost_lease(this: Round, number: int, rules: Rules) -> None:
    """A step outlives a few workers; a handler that kills every worker does not go on for ever."""
    lost = this.run.steps[number].lost
    if lost > rules.lost_leases:
        message = f"{lost} workers went silent while they ran it"
        this.step(StepErrored, number, reason="lost_leases", message=message)
    else:
        enqueue(this, number)


def retry(this: Round, number: int, event: StepEvent) -> None:
    """Schedule the next attempt by the template's policy, or give up."""
    policy = this.run.plan.steps[number].retry
    failures = this.run.steps[number].failures
    if failures >= policy.max_attempts:
        message = f"failed {failures} of {policy.max_attempts} times: {reason_of(event)}"
        this.step(StepErrored, number, reason="exhausted", message=message)
        return
    seconds = policy.delay(failures, chance(event.event_id))
    if seconds <= 0:
        enqueue(this, number)
    else:
        this.step(StepRetryScheduled, number, due_at=this.now + timedelta(seconds=seconds))


def reason_of(event: StepEvent) -> str:
    """The last failure in one sentence."""
    if isinstance(event, StepFailed):
        return f"{event.error.error_class}: {event.error.message}"
    if isinstance(event, StepTimedOut):
        return f"ran longer than {event.timeout_seconds:g} s"
    return type(event).__name__


def end(this: Round) -> None:
    """The one finaliser: nothing runs, waits or can become ready."""
    if this.run.complete == len(this.run.steps):
        this.task(TaskCompleted)
    else:
        this.task(TaskFailed, failed_steps=this.run.failed_steps())


def retry_due(run: Run, number: int, now: datetime) -> Decisions:
    """The retry timer of a step rang. Nothing, where the step has moved on."""
    timer = run.timers.get(number)
    if timer is None or timer[0] != "retry" or timer[1] > now:
        return ()
    this = Round(run, run.causes[number], now)
    enqueue(this, number)
    return tuple(this.made)


def timeout_due(run: Run, number: int, now: datetime) -> Decisions:
    """The timeout of a step rang. Nothing, where the step has moved on."""
    timer = run.timers.get(number)
    if timer is None or timer[0] != "timeout" or timer[1] > now:
        return ()
    this = Round(run, run.causes[number], now)
    this.step(StepTimedOut, number, timeout_seconds=run.plan.steps[number].timeout_seconds)
    return tuple(this.made)


def lease_expired(run: Run, number: int, worker: UUID, now: datetime) -> Decisions:
    """The worker that held the step went silent. Nothing, where the step is not running."""
    if run.steps[number].state is not StepState.IN_PROGRESS:
        return ()
    this = Round(run, run.causes[number], now)
    this.step(StepLeaseExpired, number, worker=worker)
    return tuple(this.made)
