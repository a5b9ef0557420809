"""One task with all its steps, as the coordinator sees it: the fold of every stream of the task.

A run is the one mutable thing among the rules: a task of a thousand steps must cost what changes,
not a copy of a thousand steps at each event. It has one owner, and `apply` is its only way to
change. The steps themselves are values, evolved by their table.

Which order the streams of a task are folded in does not matter, as long as each stream is in its
own order: the counters depend on the steps' states alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from flowledger.engine.domain.aggregates import NEW_STEP, NEW_TASK, Step, evolve_step, evolve_task
from flowledger.engine.domain.events import (
    StepEvent,
    StepRetryScheduled,
    StepStarted,
    TaskCreated,
    TaskEvent,
)
from flowledger.engine.domain.plan import Plan
from flowledger.engine.domain.states import TASK_ENDS, StepState, TaskState

ACTIVE = frozenset({StepState.ENQUEUED, StepState.IN_PROGRESS, StepState.WAITING_FOR_RETRY})

Timer = tuple[Literal["retry", "timeout"], datetime]


class Run:
    """The state of a task and its steps.

    `ready` holds the numbers of pending steps whose dependencies are all complete, `undecided` the
    failed attempts that the coordinator has not answered yet, `timers` what falls due and when,
    `causes` the last event of each active step.
    """

    __slots__ = (
        "active",
        "causes",
        "complete",
        "correlation_id",
        "created_at",
        "definition_hash",
        "open",
        "plan",
        "priority",
        "ready",
        "steps",
        "task",
        "task_id",
        "timers",
        "undecided",
    )

    def __init__(self, created: TaskCreated, plan: Plan) -> None:
        self.task_id: UUID = created.task_id
        self.correlation_id = created.correlation_id
        self.definition_hash = created.definition_hash
        self.priority = created.priority
        self.created_at = created.occurred_at
        self.plan = plan
        self.task = evolve_task(NEW_TASK, created)
        self.steps: list[Step] = [NEW_STEP] * len(plan.steps)
        self.open: list[int] = [len(parents) for parents in plan.parents]
        self.ready = {number for number, count in enumerate(self.open) if not count}
        self.undecided: dict[int, StepEvent] = {}
        self.timers: dict[int, Timer] = {}
        self.causes: dict[int, UUID] = {}
        self.active = 0
        self.complete = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen to the task."""
        return self.task.state in TASK_ENDS

    @property
    def asks(self) -> bool:
        """Whether there is anything to decide; most events ask for nothing."""
        return bool(
            self.undecided or self.ready or not self.active or self.task.state is TaskState.PENDING
        )

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

    def apply(self, event: TaskEvent) -> None:
        """Fold one event in. Raises IllegalTransition, and then nothing has changed."""
        if not isinstance(event, StepEvent):
            self.task = evolve_task(self.task, event)
            return
        number = self.plan.numbers[event.step]
        before = self.steps[number]
        after = evolve_step(before, event)
        self.steps[number] = after
        self.active += (after.state in ACTIVE) - (before.state in ACTIVE)
        self.ready.discard(number)
        self._remember(number, after, event)
        if after.state is StepState.COMPLETE:
            self.complete += 1
            self._release_children(number)

    def apply_all(self, events: Iterable[TaskEvent]) -> None:
        """Fold events in, in their order."""
        for event in events:
            self.apply(event)

    def _release_children(self, number: int) -> None:
        for child in self.plan.children[number]:
            self.open[child] -= 1
            if not self.open[child] and self.steps[child].state is StepState.PENDING:
                self.ready.add(child)

    def _remember(self, number: int, step: Step, event: StepEvent) -> None:
        self.timers.pop(number, None)
        self.undecided.pop(number, None)
        if step.state in ACTIVE:
            self.causes[number] = event.event_id
        else:
            self.causes.pop(number, None)
        if isinstance(event, StepStarted):
            seconds = self.plan.steps[number].timeout_seconds
            if seconds is not None:
                due = event.occurred_at + timedelta(seconds=seconds)
                self.timers[number] = ("timeout", due)
        elif isinstance(event, StepRetryScheduled):
            self.timers[number] = ("retry", event.due_at)
        elif step.state is StepState.WAITING_FOR_RETRY:
            self.undecided[number] = event


def fold_run(events: Iterable[TaskEvent], plan: Plan) -> Run:
    """The run of a task from its whole history, in log order. Raises IllegalTransition."""
    history = iter(events)
    created = next(history)
    if not isinstance(created, TaskCreated):
        raise TypeError(f"the first event of a task is TaskCreated, not {type(created).__name__}")
    run = Run(created, plan)
    run.apply_all(history)
    return run
