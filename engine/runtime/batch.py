"""What one transaction of the coordinator will store: events, and the rows that follow from them.

Rows are made once, at the end, from the state that each touched step has then: a step that started
and completed within one batch is written once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
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
from flowledger.engine.ports import Commit, Row


class Batch:
    """Collects what was folded and decided; `commit` turns it into rows."""

    def __init__(self) -> None:
        self.events: list[TaskEvent] = []
        self.submissions: list[int] = []
        self.runs: dict[UUID, Run] = {}
        self._steps: dict[tuple[UUID, int], Run] = {}
        self._tasks: dict[UUID, Run] = {}
        self._dropped: list[UUID] = []
        self._queued: set[tuple[UUID, int]] = set()
        self._untimed: set[tuple[UUID, int]] = set()

    def __bool__(self) -> bool:
        return bool(self.runs or self.events)

    def saw(self, run: Run, event: TaskEvent) -> None:
        """A fact was folded into the run."""
        self.runs[run.task_id] = run
        if isinstance(event, StepEvent):
            self._steps[run.task_id, run.plan.numbers[event.step]] = run
        else:
            self._tasks[run.task_id] = run

    def decided(self, run: Run, events: Iterable[TaskEvent]) -> None:
        """Decisions were made about the run, and folded."""
        for event in events:
            self.saw(run, event)
            self.events.append(event)
            if isinstance(event, StepEnqueued):
                self.requeue(run, run.plan.numbers[event.step])
            elif isinstance(event, (StepTimedOut, StepLeaseExpired)):
                self._dropped.append(event.originator_id)

    def requeue(self, run: Run, number: int) -> None:
        """The step gets a row in the queue, whatever was there."""
        self.runs[run.task_id] = run
        self._queued.add((run.task_id, number))

    def untime(self, run: Run, number: int) -> None:
        """The timer of the step rang; its row goes, unless there is a new one."""
        self.runs[run.task_id] = run
        self._untimed.add((run.task_id, number))

    def commit(self, epoch: int, old: int, new: int, now: datetime) -> Commit:
        """The transaction that moves the position from `old` to `new`."""
        queued = sorted(self._queued)
        touched = sorted(self._steps)
        return Commit(
            epoch=epoch,
            old=old,
            new=new,
            events=self.events,
            dropped=sorted(self._dropped),
            queued=[queue_row(self.runs[task], number) for task, number in queued],
            steps=[step_row(self.runs[task], number) for task, number in touched],
            tasks=[task_row(run, now) for _, run in sorted(self._tasks.items())],
            untimed=[_id(self.runs[t], n) for t, n in self._without_timer(touched)],
            timers=[timer_row(self.runs[t], n) for t, n in touched if n in self.runs[t].timers],
            submissions=self.submissions,
        )

    def _without_timer(self, touched: Iterable[tuple[UUID, int]]) -> list[tuple[UUID, int]]:
        may_have_had = {
            (task, number)
            for task, number in touched
            if self.runs[task].plan.steps[number].timeout_seconds is not None
            or self.runs[task].steps[number].failures
        }
        return sorted(
            (task, number)
            for task, number in may_have_had | self._untimed
            if number not in self.runs[task].timers
        )


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
        "correlation": run.correlation_id,
    }


def step_row(run: Run, number: int) -> Row:
    """A row of the step readiness."""
    step = run.steps[number]
    timer = run.timers.get(number)
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
    name = run.plan.steps[number].name
    return {
        "step_id": _id(run, number),
        "task_id": run.task_id,
        "step": name,
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
