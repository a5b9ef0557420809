"""What one transaction of the coordinator stores: events, and the rows derived from them.

Rows are made once, at the end, from the state that each touched step has then: a step that started
and completed within one batch is written once. Runs are compared by identity of the object, since a
batch touches each of them often and comparing ids would cost more than deciding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from math import inf
from operator import itemgetter
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.machine.queue_order import queue_sort_key
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import RequestGranted, RequestRefused, TaskRequest
from flowledger.engine.events.step import (
    StepCancelled,
    StepCancelSignalled,
    StepCheckpointed,
    StepCompletedManually,
    StepDequeued,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepResolvedManually,
    StepSkipped,
    StepStarted,
    StepTimedOut,
)
from flowledger.engine.ports.coordinator import Commit, Row

ANSWERS = (RequestGranted, RequestRefused)
NO_TASK_ROW = (TaskRequest, *ANSWERS)
"""What is in a stream of its own, and changes nothing of the task itself."""

TAKES_FROM_QUEUE = frozenset(
    {
        StepTimedOut,
        StepLeaseExpired,
        StepDequeued,
        StepFailed,
        StepCancelled,
        StepSkipped,
        StepResolvedManually,
        StepCompletedManually,
    }
)
"""Decisions after which no row may be in the queue, whoever had claimed it."""


class CommitBatch:
    """Collects what was folded and decided; `commit` turns it into rows."""

    def __init__(
        self,
        priority_ageing_seconds: float = 0.0,
        max_lost_leases: float = inf,
    ) -> None:
        self._ageing = priority_ageing_seconds
        self._max_lost_leases = max_lost_leases
        self.events: list[TaskEvent] = []
        self.submissions: list[int] = []
        self.steps: defaultdict[TaskRun, set[int]] = defaultdict(set)
        self._tasks: set[TaskRun] = set()
        self._dropped: set[UUID] = set()
        self._signalled: list[UUID] = []
        self._queued: defaultdict[TaskRun, dict[int, UUID]] = defaultdict(dict)
        self._starts: dict[UUID, StepStarted] = {}
        self._untimed: set[UUID] = set()
        self._answers = False
        self.unparked: list[UUID] = []

    def __bool__(self) -> bool:
        return bool(self.events or self.steps or self._tasks or self._queued or self._untimed)

    @property
    def runs(self) -> list[TaskRun]:
        """Every run that was touched, in an order that is the same whenever it is made again."""
        return sorted(self._tasks.union(self.steps, self._queued), key=_by_id)

    def folded(self, run: TaskRun, event: TaskEvent) -> None:
        """A fact was folded into the run."""
        if isinstance(event, StepEvent):
            self.steps[run].add(run.plan.numbers[event.step])
            if isinstance(event, StepCheckpointed):  # nobody will know that it was handed back once
                self._untimed.add(event.originator_id)
        elif not isinstance(event, NO_TASK_ROW):
            self._tasks.add(run)

    def decided(self, run: TaskRun, events: Iterable[TaskEvent]) -> None:
        """Decisions were made about the run, and folded."""
        for event in events:
            self.events.append(event)
            if isinstance(event, StepEnqueued):
                number = run.plan.numbers[event.step]
                self.steps[run].add(number)
                self._queued[run][number] = event.originator_id
                continue
            self.folded(run, event)
            if type(event) in TAKES_FROM_QUEUE:
                self._dropped.add(event.originator_id)
            elif isinstance(event, StepCancelSignalled):
                self._signalled.append(event.originator_id)
            elif isinstance(event, ANSWERS):
                self._answers = True

    def touch(self, run: TaskRun) -> None:
        """The task's row is written, whatever it says now."""
        self._tasks.add(run)

    def again(self, run: TaskRun) -> None:
        """The task was parked, and its facts were passed over: all of its rows are written."""
        self._tasks.add(run)
        self.steps[run].update(number for number, step in enumerate(run.steps) if step.version)
        self.unparked.append(run.task_id)

    def requeue(self, run: TaskRun, number: int) -> None:
        """The step gets a row in the queue, whatever was there."""
        step = _id(run, number)
        self._queued[run][number] = step
        self._dropped.add(step)

    def startable(self, now: datetime) -> list[tuple[float, TaskRun, int]]:
        """Steps that this batch queues and that may run beside others: sort key, run and number.

        In the order in which they would be claimed.
        """
        found = [
            (queue_sort_key(run, now, self._ageing), run, number)
            for run, number in in_order(self._queued)
            if run.steps[number].state is StepState.ENQUEUED
            and run.steps[number].lost < self._max_lost_leases
        ]
        return sorted(found, key=itemgetter(0))

    def started(self, run: TaskRun, start: StepStarted) -> None:
        """A step that this batch queues starts at once: its row is the worker's from the first."""
        self._starts[start.originator_id] = start
        self.folded(run, start)

    def clear_timer(self, task_id: UUID, step: str) -> None:
        """The timer of the step, or of the task, fired; its row goes, unless there is a new one."""
        self._untimed.add(step_id(task_id, step) if step else task_id)

    def commit(self, epoch: int, old: int, new: int, now: datetime) -> Commit:
        """The transaction that moves the position from `old` to `new`."""
        touched = in_order(self.steps)
        tasks = sorted(self._tasks, key=_by_id)
        timers = [
            timer_row(run, number)
            for run, number in touched
            if run.timers and is_timed(run, number)
        ]
        timers += [task_timer_row(run) for run in tasks if run.timer is not None]
        return Commit(
            epoch=epoch,
            old=old,
            new=new,
            events=[*self.events],
            dropped=sorted(self._dropped),
            signalled=sorted(self._signalled),
            queued=[
                self._queue_row(run, number, step, now)
                for run, number in in_order(self._queued)
                for step in (self._queued[run][number],)
                if step in self._starts
                or run.steps[number].state is StepState.ENQUEUED  # it may be so no more
            ],
            steps=[step_row(run, number) for run, number in touched],
            tasks=[task_row(run) for run in tasks],
            untimed=self._without_timer(touched, tasks, timers),
            timers=timers,
            submissions=self.submissions,
            answers=self._answers,
            starts=[*self._starts.values()],
        )

    def _queue_row(self, run: TaskRun, number: int, step: UUID, now: datetime) -> Row:
        row = queue_row(run, number, step)
        if (start := self._starts.get(step)) is not None:
            row["worker"], row["attempt"] = start.worker, start.attempt
            row["version"] = start.originator_version - 1
        row["sort_key"] = queue_sort_key(run, now, self._ageing)
        # One more loss would condemn the step: it must be its own, and nobody's beside it.
        row["exclusive"] = run.steps[number].lost >= self._max_lost_leases
        return row

    def _without_timer(
        self, touched: list[tuple[TaskRun, int]], tasks: list[TaskRun], timers: list[Row]
    ) -> list[UUID]:
        ids = self._untimed.union(
            (_id(run, n) for run, n in touched if _may_have_timer(run, n)),
            (run.task_id for run in tasks if run.timed),
        )
        return sorted(ids.difference(row["step_id"] for row in timers)) if ids else []


def channels_of(commit: Commit, *, queue: bool) -> Iterator[str]:
    """Whom a commit concerns in this process; workers only where they are to look at the queue."""
    if commit.queued and queue:
        yield "queue"
    if commit.answers or any(row["ended_at"] for row in commit.tasks):
        yield "ended"
    if commit.signalled:
        yield "cancel"
    if commit.limits is not None and commit.limits.makes_room:
        yield "room"


def in_order(numbers: Mapping[TaskRun, Collection[int]]) -> list[tuple[TaskRun, int]]:
    """Rows in the order of their keys, in which everybody locks them."""
    return [(run, n) for run in sorted(numbers, key=_by_id) for n in sorted(numbers[run])]


def is_timed(run: TaskRun, number: int) -> bool:
    """Whether the step waits for a time. A retry that is held is due, and waits for room."""
    return number in run.timers and number not in run.waiting


def _by_id(run: TaskRun) -> int:
    return run.task_id.int


def _may_have_timer(run: TaskRun, number: int) -> bool:
    step = run.steps[number]
    again = step.failures or step.lost or step.returned or step.resets
    return number in run.plan.timed or again > 0


def _id(run: TaskRun, number: int) -> UUID:
    return step_id(run.task_id, run.plan.steps[number].name)


def _correlation(run: TaskRun) -> str | None:
    return None if run.correlation_id == run.task_text else run.correlation_id


def queue_row(run: TaskRun, number: int, step_id: UUID) -> Row:
    """A row of the queue, but for its turn."""
    step = run.steps[number]
    return {
        "step_id": step_id,
        "task_id": run.task_id,
        "template_id": run.plan.template_id,
        "version": step.version,
        "priority": run.priority,
        "attempt": step.attempt + 1,
        "resets": step.resets,
        "step": run.plan.steps[number].name,
        "correlation": _correlation(run),
    }


def step_row(run: TaskRun, number: int) -> Row:
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


def timer_row(run: TaskRun, number: int) -> Row:
    """A row of the timers."""
    kind, due_at = run.timers[number]
    return {
        "step_id": _id(run, number),
        "task_id": run.task_id,
        "step": run.plan.steps[number].name,
        "kind": kind,
        "due_at": due_at,
    }


def task_timer_row(run: TaskRun) -> Row:
    """A row of the timers that is a task's own; its step is empty."""
    kind, due_at = run.timer or ("", None)
    return {
        "step_id": run.task_id,
        "task_id": run.task_id,
        "step": "",
        "kind": kind,
        "due_at": due_at,
    }


def task_row(run: TaskRun) -> Row:
    """A row of the tasks."""
    template = run.plan.template
    row: Row = {
        "task_id": run.task_id,
        "template_id": run.plan.template_id,
        "namespace": template.namespace,
        "template": template.name,
        "version": template.version,
        "state": run.task.state,
        "stream_version": run.task.version,
        "paused": run.task.paused,
        "priority": run.priority,
        "correlation": _correlation(run),
        "created_at": run.created_at,
        "ended_at": run.ended_at,
    }
    return row if run.fairness is None else {**row, "fairness_key": run.fairness}
