"""What one transaction of the coordinator will store: events, and the rows that follow from them.

Rows are made once, at the end, from the state that each touched step has then: a step that started
and completed within one batch is written once. Runs are told apart as objects, since a batch
touches each of them often and comparing ids would cost more than deciding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from flowledger.engine.domain.events import (
    StepEnqueued,
    StepEvent,
    StepLeaseExpired,
    StepTimedOut,
    TaskEvent,
)
from flowledger.engine.domain.ids import step_id
from flowledger.engine.domain.run import Run
from flowledger.engine.domain.states import StepState
from flowledger.engine.ports import Commit, Row

Numbers = Mapping[Run, set[int]]
NOTHING: Numbers = MappingProxyType({})


class Batch:
    """Collects what was folded and decided; `commit` turns it into rows."""

    def __init__(self, put_off: Numbers = NOTHING) -> None:
        self.events: list[TaskEvent] = []
        self.submissions: list[int] = []
        self.steps: defaultdict[Run, set[int]] = defaultdict(set, put_off)
        self._tasks: set[Run] = set()
        self._dropped: list[UUID] = []
        self._queued: defaultdict[Run, set[int]] = defaultdict(set)
        self._untimed: defaultdict[Run, set[int]] = defaultdict(set)

    def __bool__(self) -> bool:
        return bool(self.steps or self._tasks or self._queued or self._untimed)

    @property
    def runs(self) -> set[Run]:
        """Every run that was touched."""
        return self._tasks.union(self.steps, self._queued, self._untimed)

    def saw(self, run: Run, event: TaskEvent) -> None:
        """A fact was folded into the run."""
        if isinstance(event, StepEvent):
            self.steps[run].add(run.plan.numbers[event.step])
        else:
            self._tasks.add(run)

    def decided(self, run: Run, events: Iterable[TaskEvent]) -> None:
        """Decisions were made about the run, and folded."""
        for event in events:
            self.saw(run, event)
            self.events.append(event)
            if isinstance(event, StepEnqueued):
                self._queued[run].add(run.plan.numbers[event.step])
            elif isinstance(event, (StepTimedOut, StepLeaseExpired)):
                self._dropped.append(event.originator_id)

    def requeue(self, run: Run, number: int) -> None:
        """The step gets a row in the queue, whatever was there."""
        self._queued[run].add(number)
        self._dropped.append(_id(run, number))

    def untime(self, run: Run, number: int) -> None:
        """The timer of the step rang; its row goes, unless there is a new one."""
        self._untimed[run].add(number)

    def put_off_starts(self) -> Numbers:
        """Leave out the rows of steps that have only started, and return which they are.

        The queue says already that they run, and most will have ended by the next batch.
        """
        started = {
            run: {n for n in numbers if run.steps[n].state is StepState.IN_PROGRESS}
            for run, numbers in self.steps.items()
        }
        put_off = {
            run: {n for n in numbers if n not in run.timers} for run, numbers in started.items()
        }
        for run, numbers in put_off.items():
            self.steps[run] -= numbers
        return {run: numbers for run, numbers in put_off.items() if numbers}

    def commit(self, epoch: int, old: int, new: int, now: datetime) -> Commit:
        """The transaction that moves the position from `old` to `new`."""
        touched = in_order(self.steps)
        return Commit(
            epoch=epoch,
            old=old,
            new=new,
            events=self.events,
            dropped=sorted(self._dropped),
            queued=[queue_row(run, number) for run, number in in_order(self._queued)],
            steps=[step_row(run, number) for run, number in touched],
            tasks=[task_row(run, now) for run in sorted(self._tasks, key=_by_id)],
            untimed=self._without_timer(touched),
            timers=[timer_row(run, number) for run, number in touched if number in run.timers],
            submissions=self.submissions,
        )

    def _without_timer(self, touched: list[tuple[Run, int]]) -> list[UUID]:
        rang = in_order(self._untimed)
        may_have_had = [pair for pair in touched if _may_have_timer(*pair)]
        ids = {_id(run, n) for run, n in rang + may_have_had if n not in run.timers}
        return sorted(ids)


def in_order(numbers: Numbers) -> list[tuple[Run, int]]:
    """Rows in the order of their keys, in which everybody locks them."""
    return [(run, n) for run in sorted(numbers, key=_by_id) for n in sorted(numbers[run])]


def _by_id(run: Run) -> int:
    return run.task_id.int


def _may_have_timer(run: Run, number: int) -> bool:
    return run.plan.steps[number].timeout_seconds is not None or run.steps[number].failures > 0


def _id(run: Run, number: int) -> UUID:
    return step_id(run.task_id, run.plan.steps[number].name)


def queue_row(run: Run, number: int) -> Row:
    """A row of the queue."""
    step = run.steps[number]
    return {
        "step_id": _id(run, number),
        "task_id": run.task_id,
        "template_id": run.plan.template_id,
        "version": step.version,
        "priority": run.priority,
        "attempt": step.attempt + 1,
        "step": run.plan.steps[number].name,
        "correlation": None if run.correlation_id == str(run.task_id) else run.correlation_id,
    }


def step_row(run: Run, number: int) -> Row:
    """A row of the step readiness."""
    step = run.steps[number]
    timer = run.timers.get(number) if run.timers else None
    return {
        "task_id": run.task_id,
        "step": run.plan.steps[number].name,
        "state": step.state,
        "attempt": step.attempt,
        "version": step.version,
        "due_at": timer[1] if timer and timer[0] == "retry" else None,
    }


def timer_row(run: Run, number: int) -> Row:
    """A row of the timers."""
    kind, due_at = run.timers[number]
    return {
        "step_id": _id(run, number),
        "task_id": run.task_id,
        "step": run.plan.steps[number].name,
        "kind": kind,
        "due_at": due_at,
    }


def task_row(run: Run, now: datetime) -> Row:
    """A row of the tasks."""
    template = run.plan.template
    return {
        "task_id": run.task_id,
        "template_id": run.plan.template_id,
        "namespace": template.namespace,
        "template": template.name,
        "version": template.version,
        "state": run.task.state,
        "stream_version": run.task.version,
        "priority": run.priority,
        "correlation": run.correlation_id,
        "created_at": run.created_at,
        "ended_at": now if run.ended else None,
    }
