"""The read model `flowledger_analytics`: what happened in each minute, and how long it took.

Everything is a sum or a maximum over a minute, a template and its version, so that a question about
an hour reads sixty times as many rows as there are templates, however many tasks there were. Times
are exact to the microsecond, so that sums do not depend on how events were cut into batches. What
lasts from one event to another counts in the minute in which it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import LiteralString

from flowledger.engine.domain.event import StepEvent, TaskEvent
from flowledger.engine.domain.events import (
    StepCancelled,
    StepCompleted,
    StepCompletedManually,
    StepEnqueued,
    StepErrored,
    StepFailed,
    StepHandedBack,
    StepLeaseExpired,
    StepReset,
    StepResolvedManually,
    StepRetryScheduled,
    StepSkipped,
    StepStarted,
    StepTimedOut,
    StepWithdrawn,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskPaused,
    TaskReopened,
    TaskResolvedManually,
    TaskResumed,
    TaskStarted,
    TaskTimedOut,
)
from flowledger.engine.ports import Recorded
from flowledger.engine.store.arrays import TextArray, UuidArray
from flowledger.projections.builtin.concerned import Concerned, Key, concerned
from flowledger.projections.builtin.minutes import Minutes, Times
from flowledger.projections.builtin.rows import Row, store
from flowledger.projections.builtin.tables import tables_of
from flowledger.projections.cursor import Cursor
from flowledger.projections.projection import Projection, on_batch

TASK_ENDED: Mapping[type[TaskEvent], str] = MappingProxyType(
    {
        TaskCompleted: "completed",
        TaskFailed: "failed",
        TaskTimedOut: "failed",
        TaskCancelled: "cancelled",
        TaskResolvedManually: "resolved",
    }
)
STEP_COUNTED: Mapping[type[StepEvent], str] = MappingProxyType(
    {
        StepEnqueued: "enqueued",
        StepStarted: "started",
        StepCompleted: "completed",
        StepFailed: "failed",
        StepTimedOut: "timed_out",
        StepLeaseExpired: "lost",
        StepHandedBack: "handed_back",
        StepErrored: "errored",
        StepCancelled: "cancelled",
    }
)
"""The columns in which events are counted."""

SETTLED = (StepWithdrawn, StepReset, StepSkipped, StepResolvedManually, StepCompletedManually)
"""Events that are counted nowhere, and end what the step was waiting for."""

PHASES: Mapping[type[StepEvent], str] = MappingProxyType(
    {
        StepEnqueued: "queue",
        StepStarted: "run",
        StepFailed: "retry",
        StepTimedOut: "retry",
        StepLeaseExpired: "retry",
        StepHandedBack: "retry",
    }
)
"""What begins: a step that waits for the coordinator's word, or for its time, is in `retry`."""

HELD_BY = MappingProxyType(
    {
        "slot": "concurrency",
        "rate": "rate_limit",
        "circuit": "circuit",
        "template": "template_paused",
    }
)

TASKS: LiteralString = "select * from known_task where task_id = any(%s)"
STEPS: LiteralString = """
    select s.*
    from unnest(%s::uuid[], %s::text[]) as k (task_id, step)
    join open_step as s on s.task_id = k.task_id and s.step = k.step
"""
STORE_TASKS: LiteralString = """
    insert into known_task
    select * from json_populate_recordset(null::known_task, %s)
    on conflict (task_id) do update
    set paused_at = excluded.paused_at, blocked_at = excluded.blocked_at
"""
STORE_STEPS: LiteralString = """
    insert into open_step
    select * from json_populate_recordset(null::open_step, %s)
    on conflict (task_id, step) do update
    set phase = excluded.phase, since = excluded.since, due_at = excluded.due_at
"""
CLOSE_STEPS: LiteralString = """
    delete from open_step as s
    using unnest(%s::uuid[], %s::text[]) as k (task_id, step)
    where s.task_id = k.task_id and s.step = k.step
"""


class Analytics(Projection):
    """Counts and times by the minute: `task_minute`, `step_minute` and `blocked_minute`."""

    name, builtin = "flowledger_analytics", True
    version, tables = tables_of("analytics")

    @on_batch(
        TaskCreated,
        TaskStarted,
        TaskPaused,
        TaskResumed,
        TaskBlocked,
        TaskReopened,
        *TASK_ENDED,
        *STEP_COUNTED,
        *SETTLED,
        StepRetryScheduled,
    )
    def happened(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        """Add the events to their minutes."""
        fold = Fold(concerned(events, begins=_enqueued_first), cursor)
        for _, _, event in events:
            if isinstance(event, StepEvent):
                fold.of_step(event)
            elif isinstance(event, TaskEvent):
                fold.of_task(event)
        fold.minutes.store(cursor)
        fold.store(cursor)


class Fold:
    """What a batch adds to the minutes, and where it leaves the tasks and steps that it concerns.

    A step is in the phase `queue`, `run` or `retry` since a time, or has no row.
    """

    def __init__(self, concerned: Concerned, cursor: Cursor) -> None:
        self.minutes = Minutes()
        self._tasks = concerned.found_tasks(cursor, TASKS)
        self._steps = concerned.found_steps(cursor, STEPS)
        self._stored = {key: (row["task_id"], row["step"]) for key, row in self._steps.items()}
        self._changed_tasks: dict[int, Row] = {}
        self._changed_steps: dict[Key, None] = {}

    def store(self, cursor: Cursor) -> None:
        """Write where the tasks and steps stand."""
        store(cursor, STORE_TASKS, self._changed_tasks.values())
        left = [self._steps[key] for key in self._changed_steps if key in self._steps]
        store(cursor, STORE_STEPS, left)
        gone = [at for key, at in self._stored.items() if key not in self._steps]
        if gone:
            tasks, steps = zip(*gone, strict=True)
            cursor.execute(CLOSE_STEPS, (UuidArray(tasks), TextArray(steps)))

    def of_task(self, event: TaskEvent) -> None:
        """Count what happened to a task."""
        key = event.task_id.int
        if isinstance(event, TaskCreated):
            self._tasks[key] = self._changed_tasks[key] = _task(event)
        task = self._tasks.get(key)
        if task is None:
            return  # its beginning was dropped by an operator
        times = self.minutes.of(event, task["version"])
        match event:
            case TaskCreated():
                times.task("created")
            case TaskStarted():
                _started(task, event, times)
            case TaskPaused():
                self._begins(task, "paused_at", event)
            case TaskBlocked():
                self._begins(task, "blocked_at", event)
            case TaskResumed():
                self._is_over(task, "paused", "paused_at", event, times)
            case _:
                self._is_over(task, "operator", "blocked_at", event, times)
                self._ended(task, event, times)

    def _begins(self, task: Row, since: str, event: TaskEvent) -> None:
        task[since] = event.occurred_at
        self._changed_tasks[event.task_id.int] = task

    def _is_over(self, task: Row, reason: str, since: str, event: TaskEvent, times: Times) -> None:
        if task[since] is not None:
            times.blocked(reason, task[since], event.occurred_at)
            task[since] = None
            self._changed_tasks[event.task_id.int] = task

    def _ended(self, task: Row, event: TaskEvent, times: Times) -> None:
        ended = TASK_ENDED.get(type(event))
        if ended is None:
            return
        self._is_over(task, "paused", "paused_at", event, times)
        times.task(ended)
        if isinstance(event, TaskCompleted):
            times.task_time(task["created_at"], event.occurred_at)

    def of_step(self, event: StepEvent) -> None:
        """Count what happened to a step."""
        key = event.task_id.int, event.step
        self._changed_steps[key] = None
        before = self._steps.get(key)
        if isinstance(event, StepRetryScheduled):
            if before is not None:
                before["due_at"] = event.due_at
            return
        task = self._tasks.get(key[0])
        times = self.minutes.of(event, task["version"] if task else "")
        if before is not None:
            _left(before, event, times)
            del self._steps[key]
        _counted(event, times)
        phase = PHASES.get(type(event))
        if phase is not None:
            self._steps[key] = {
                "task_id": event.task_id,
                "step": event.step,
                "phase": phase,
                "since": event.occurred_at,
                "due_at": None,
            }


def _enqueued_first(event: StepEvent) -> bool:
    return isinstance(event, StepEnqueued) and event.attempt == 1


def _counted(event: StepEvent, times: Times) -> None:
    counted = STEP_COUNTED.get(type(event))
    if counted is not None:
        times.step(event.step, counted)
    if isinstance(event, StepEnqueued):
        if event.held_by is not None:
            times.blocked(HELD_BY[event.held_by], event.held_since, event.occurred_at)
    elif event.attempt > 1 and isinstance(event, StepStarted):
        times.step(event.step, "retried")


def _left(before: Row, event: StepEvent, times: Times) -> None:
    """The step was in a phase up to now."""
    since, until = before["since"], event.occurred_at
    match before["phase"]:
        case "queue":
            times.blocked("queue", since, until)
            if isinstance(event, StepStarted):
                times.step_time(event.step, "queue", since, until)
        case "run":
            times.step(event.step, "runs")
            times.step_time(event.step, "run", since, until)
        case _ if not isinstance(event, StepErrored):
            due = before["due_at"]
            times.blocked("retry", since, until if due is None else min(due, until))
        case _:
            pass


def _started(task: Row, event: TaskStarted, times: Times) -> None:
    created, now = task["created_at"], event.occurred_at
    begins = max(created, task["start_at"] or created)
    times.blocked("delayed_start", created, min(begins, now))
    times.blocked("coordinator", begins, now)


def _task(event: TaskCreated) -> Row:
    return {
        "task_id": event.task_id,
        "namespace": event.namespace,
        "template": event.template,
        "version": event.version,
        "created_at": event.occurred_at,
        "start_at": event.start_at,
        "paused_at": None,
        "blocked_at": None,
    }
