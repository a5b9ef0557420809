"""The state of one task with all its steps: the fold of every stream of the task.

A run is the one mutable object among the rules: a task of a thousand steps must cost what changes,
not a copy of a thousand steps at each event. It has one owner, and `apply` is its only way to
change. The steps themselves are values, changed by their transition table.

The streams of a task may be folded in any order, as long as each stream is in its own order: the
counters depend on the steps' states alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple
from uuid import UUID

from flowledger.engine.domain.context_value import fairness_key
from flowledger.engine.domain.machine.evolve import (
    NEW_STEP,
    NEW_TASK,
    Step,
    evolve_step,
    evolve_task,
)
from flowledger.engine.domain.machine.transitions import (
    DONE,
    STEP_ENDS,
    TASK_ENDS,
    StepState,
    TaskState,
)
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import RequestGranted, RequestRefused, TaskRequest
from flowledger.engine.events.step import (
    StepCancelSignalled,
    StepCheckpointed,
    StepEnqueued,
    StepRetryScheduled,
    StepStarted,
    WaitReason,
)
from flowledger.engine.events.task import TaskCreated, TaskReopened, TaskStarted

BUSY = frozenset({StepState.ENQUEUED, StepState.IN_PROGRESS})
ACTIVE = BUSY | {StepState.WAITING_FOR_RETRY}
KEEPS_TIMER: tuple[type[StepEvent], ...] = (StepCheckpointed, StepCancelSignalled)


class Counted(NamedTuple):
    """What a step adds to the counters of its run."""

    active: int = 0
    busy: int = 0
    queued: int = 0
    errors: int = 0
    cancelled: int = 0


IS_BUSY, IS_NOTHING = Counted(active=1, busy=1), Counted()
COUNTED: Mapping[StepState, Counted] = MappingProxyType(
    {
        **dict.fromkeys(StepState, IS_NOTHING),
        StepState.ENQUEUED: Counted(active=1, busy=1, queued=1),
        StepState.IN_PROGRESS: IS_BUSY,
        StepState.WAITING_FOR_RETRY: Counted(active=1),
        StepState.ERROR: Counted(errors=1),
        StepState.CANCELLED: Counted(cancelled=1),
    }
)

StepTimer = Literal["retry", "timeout", "start_timeout"]
TaskTimer = Literal["start", "deadline"]
Timer = tuple[StepTimer, datetime]


class Wait(NamedTuple):
    """Why a step that is ready may not be queued yet: `kind` of limit, its key, and until when.

    Without `until` something else must happen first: a step must leave, someone must resume.
    """

    kind: WaitReason
    key: str
    until: datetime | None = None


class TaskRun:
    """The state of a task and its steps; steps are known by their numbers in the plan.

    - `open`: for each step, how many dependencies do not let it run yet.
    - `unended`: for each step, how many dependencies have not ended, or ended before all that they
      depend on themselves.
    - `ready`: pending steps whose dependencies are satisfied.
    - `waiting`: ready or retry-due steps that admission refused.
    - `undecided`: failed attempts without a decision.
    - `requests`: operators' requests without an answer, by stream.
    - `timers`: what falls due, and when.
    - `timed`: whether the task as a whole ever waits for a time.
    - `causes`: the last event of each active step.
    - `latest`: no folded event happened after this time.
    - `task_text`: the task's id as text.
    - `fairness`: the key by which it takes turns with other tasks.
    - `turn_since`: where it began before older tasks, as their keys have had their turns: since
      when they wait.
    """

    __slots__ = (
        "active",
        "busy",
        "cancelled",
        "causes",
        "context",
        "correlation_id",
        "created_at",
        "deadline_at",
        "definition_hash",
        "ended_at",
        "errors",
        "fairness",
        "last_event",
        "latest",
        "open",
        "plan",
        "priority",
        "queued",
        "ready",
        "requests",
        "start_at",
        "started",
        "steps",
        "task",
        "task_id",
        "task_text",
        "timed",
        "timers",
        "turn_since",
        "undecided",
        "unended",
        "waiting",
    )

    def __init__(self, created: TaskCreated, plan: Plan) -> None:
        self.task_id: UUID = created.task_id
        self.correlation_id = created.correlation_id
        self.task_text = str(created.task_id)
        self.definition_hash = created.definition_hash
        self.priority = created.priority
        self.created_at = self.latest = created.occurred_at
        self.start_at = created.start_at
        self.deadline_at = created.deadline_at
        self.timed = created.start_at is not None or created.deadline_at is not None
        self.context = created.context if plan.limited else None
        self.fairness = fairness_key(plan, created.context)
        self.turn_since: datetime | None = None
        self.plan = plan
        self.task = evolve_task(NEW_TASK, created)
        self.last_event = created.event_id
        self.started = False
        self.ended_at: datetime | None = None
        self.steps: list[Step] = [NEW_STEP] * len(plan.steps)
        self.open: list[int] = [len(parents) for parents in plan.parents]
        self.unended: list[int] = [*self.open]
        self.ready = set(plan.roots)
        self.waiting: dict[int, Wait] = {}
        self.undecided: dict[int, StepEvent] = {}
        self.requests: dict[UUID, TaskRequest] = {}
        self.timers: dict[int, Timer] = {}
        self.causes: dict[int, UUID] = {}
        self.active = 0
        self.busy = 0
        self.queued = 0
        self.errors = 0
        self.cancelled = 0

    @property
    def ended(self) -> bool:
        """Whether the task has ended. Its steps may still be running, and it may be reopened."""
        return self.task.state in TASK_ENDS

    @property
    def needs_decision(self) -> bool:
        """Whether there is anything to decide; most events ask for nothing."""
        if self.undecided or self.requests:
            return True
        if self.task.state in TASK_ENDS:
            return False
        return bool(self.ready or not self.active or not self.started or self._waiting_changed)

    @property
    def timer(self) -> tuple[TaskTimer, datetime] | None:
        """What falls due for the task as a whole: its delayed start, or its deadline."""
        if self.ended:
            return None
        due: list[tuple[datetime, TaskTimer]] = []
        if self.start_at is not None and not self.started and not self.task.paused:
            due.append((self.start_at, "start"))
        if self.deadline_at is not None:
            due.append((self.deadline_at, "deadline"))
        if not due:
            return None
        moment, kind = min(due)
        return kind, moment

    def step(self, name: str) -> Step:
        """The step of that name. Raises KeyError where the template has none."""
        return self.steps[self.plan.numbers[name]]

    def failed_steps(self) -> tuple[str, ...]:
        """The names of the steps that ended in error, in the template's order."""
        return tuple(
            step.name
            for step, state in zip(self.plan.steps, self.steps, strict=True)
            if state.state is StepState.ERROR
        )

    def unended_before(self, number: int) -> list[int]:
        """The steps that the step depends on, directly or not, and that have not ended."""
        found, waiting = set[int](), [number]
        while waiting:
            for parent in self.plan.parents[waiting.pop()]:
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return sorted(n for n in found if self.steps[n].state not in STEP_ENDS)

    def apply(self, event: TaskEvent) -> None:
        """Fold one event in. Raises IllegalTransition, and then nothing has changed."""
        if isinstance(event, StepEvent):
            self._apply_to_step(event)
        elif isinstance(event, TaskRequest):
            self.requests[event.originator_id] = event
        elif isinstance(event, (RequestGranted, RequestRefused)):
            self.requests.pop(event.request, None)
        else:
            self._apply_to_task(event)
        self.latest = max(self.latest, event.occurred_at)

    def apply_all(self, events: Iterable[TaskEvent]) -> None:
        """Fold events in, in their order."""
        for event in events:
            self.apply(event)

    def begin_wait(self, number: int, wait: Wait) -> None:
        """A ready step was not admitted; it is not asked about again before `release`."""
        self.ready.discard(number)
        self.waiting[number] = wait

    def may_wait(self, number: int) -> bool:
        """Whether the step stands where a hold would keep it."""
        state = self.steps[number].state
        if state is StepState.PENDING:
            return not self.open[number]
        return state is StepState.WAITING_FOR_RETRY

    def release(self, number: int) -> None:
        """What held the step may be over. A retry is due already."""
        released = self.waiting.pop(number, None) is not None
        if released and self.steps[number].state is StepState.PENDING:
            self.ready.add(number)

    @property
    def _waiting_changed(self) -> bool:
        return (self.busy == 0) is (self.task.state is TaskState.IN_PROGRESS)

    def _apply_to_task(self, event: TaskEvent) -> None:
        self.task = evolve_task(self.task, event)
        self.last_event = event.event_id
        self.ended_at = event.occurred_at if self.ended else None
        if isinstance(event, (TaskStarted, TaskReopened)):
            self.started = True
        if isinstance(event, TaskStarted):
            self.turn_since = event.turn_since
        if isinstance(event, TaskReopened):
            self.deadline_at = None  # it is past, or an operator has taken the task in hand

    def _apply_to_step(self, event: StepEvent) -> None:
        number = self.plan.numbers[event.step]
        before = self.steps[number]
        after = evolve_step(before, event)
        self.steps[number] = after
        if before.state is not after.state:
            self._move(number, before.state, after.state)
        self._remember(number, after, event)

    def _move(self, number: int, before: StepState, after: StepState) -> None:
        was, becomes = COUNTED[before], COUNTED[after]
        if was is not becomes:
            self.active += becomes.active - was.active
            self.busy += becomes.busy - was.busy
            self.queued += becomes.queued - was.queued
            self.errors += becomes.errors - was.errors
            self.cancelled += becomes.cancelled - was.cancelled
        if self.waiting:
            self.waiting.pop(number, None)
        if before is StepState.PENDING:
            self.ready.discard(number)
        if after is StepState.PENDING and not self.open[number]:
            self.ready.add(number)
        self._tell_children(number, before, after)

    def _satisfies(self, number: int, state: StepState) -> bool:
        if state is StepState.SKIPPED:
            return self.plan.steps[number].when_skipped == "continue"
        return state in DONE

    def _tell_children(self, number: int, before: StepState, after: StepState) -> None:
        """A step lets its children go when it is done and all that it ever depended on has ended.

        That is so by itself unless an operator settled it early. The counters follow the states
        alone: where what had ended is reset, children that have not begun wait again.
        """
        if self.unended[number] or not (after in STEP_ENDS or before in STEP_ENDS):
            return
        ends = (after in STEP_ENDS) - (before in STEP_ENDS)
        lets = self._satisfies(number, after) - self._satisfies(number, before)
        told = [(number, ends, lets)] if ends or lets else []
        while told:
            teller, ends, lets = told.pop()
            for child in self.plan.children[teller]:
                if lets:
                    self._count_open(child, lets=lets > 0)
                if ends and (more := self._count_ended(child, ends)):
                    told.append(more)

    def _count_ended(self, number: int, ends: int) -> tuple[int, int, int] | None:
        """What the step has to tell its own children, where it ended before what it depends on."""
        waited, state = self.unended[number], self.steps[number].state
        self.unended[number] = waits = waited - ends
        if (waited and waits) or state not in STEP_ENDS:
            return None
        return number, ends, ends * self._satisfies(number, state)

    def _count_open(self, number: int, *, lets: bool) -> None:
        self.open[number] += -1 if lets else 1
        if self.steps[number].state is not StepState.PENDING:
            return
        if not self.open[number]:
            self.ready.add(number)
        elif not lets:
            self.ready.discard(number)
            self.waiting.pop(number, None)

    def _remember(self, number: int, step: Step, event: StepEvent) -> None:
        if self.timers and type(event) not in KEEPS_TIMER:
            self.timers.pop(number, None)
        if self.undecided:
            self.undecided.pop(number, None)
        if step.state not in ACTIVE:
            self.causes.pop(number, None)
            return
        self.causes[number] = event.event_id
        if isinstance(event, StepStarted):
            self._set_timer(number, "timeout", event, self.plan.steps[number].timeout_seconds)
        elif isinstance(event, StepEnqueued):
            seconds = self.plan.steps[number].start_timeout_seconds
            self._set_timer(number, "start_timeout", event, seconds)
        elif isinstance(event, StepRetryScheduled):
            self.timers[number] = ("retry", event.due_at)
        elif step.state is StepState.WAITING_FOR_RETRY:
            self.undecided[number] = event

    def _set_timer(
        self, number: int, kind: StepTimer, event: StepEvent, seconds: float | None
    ) -> None:
        if seconds is not None:
            self.timers[number] = (kind, event.occurred_at + timedelta(seconds=seconds))


def fold_run(events: Iterable[TaskEvent], plan: Plan) -> TaskRun:
    """The run of a task from its whole history, in log order. Raises IllegalTransition."""
    history = iter(events)
    created = next(history)
    if not isinstance(created, TaskCreated):
        raise TypeError(f"the first event of a task is TaskCreated, not {type(created).__name__}")
    run = TaskRun(created, plan)
    run.apply_all(history)
    return run
