"""The read model `flowledger_analytics`: what happened in each minute, and how long it took.

Everything is a sum or a maximum over a minute, a template and its version, so that a question about
an hour reads sixty times as many rows as there are templates, however many tasks there were. Times
are exact to the microsecond, so that sums do not depend on how events were cut into batches. What
lasts from one event to another counts in the minute in which it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import LiteralString, NamedTuple

from flowledger.engine.events.base import Recorded, StepEvent, TaskEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepCompleted,
    StepCompletedManually,
    StepDequeued,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepReleased,
    StepReset,
    StepResolvedManually,
    StepRetryScheduled,
    StepSkipped,
    StepStarted,
    StepTimedOut,
)
from flowledger.engine.events.task import (
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
from flowledger.engine.store.connection.arrays import TextArray, UuidArray
from flowledger.projections.builtin.analytics_minute_totals import MinuteBucket, Minutes, OfStep
from flowledger.projections.builtin.rows_touched_by_batch import (
    ReferencedRows,
    Row,
    referenced_rows,
    store,
    tables_of,
)
from flowledger.projections.projection import Projection, on_batch
from flowledger.projections.restricted_cursor import Cursor

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
        StepAttemptFailed: "failed",
        StepTimedOut: "timed_out",
        StepLeaseExpired: "lost",
        StepReleased: "handed_back",
        StepFailed: "errored",
        StepCancelled: "cancelled",
    }
)
"""The columns in which events are counted."""

SETTLED = (StepDequeued, StepReset, StepSkipped, StepResolvedManually, StepCompletedManually)
"""Events that are counted nowhere, and end what the step was waiting for."""

PHASES: Mapping[type[StepEvent], str] = MappingProxyType(
    {
        StepEnqueued: "queue",
        StepStarted: "run",
        StepAttemptFailed: "retry",
        StepTimedOut: "retry",
        StepLeaseExpired: "retry",
        StepReleased: "retry",
    }
)
"""What begins: a step that waits for the coordinator's word, or for its time, is in `retry`."""

WAITED_FOR = MappingProxyType(
    {
        "slot": "concurrency",
        "rate": "rate_limit",
        "circuit": "circuit",
        "template": "template_paused",
    }
)

# Rows are looked up one by one, whatever the planner believes of tables that grow while they are
# built: it would read all there is for each batch.
TASKS: LiteralString = """
    select k.place, t.version, t.created_at, t.start_at, t.paused_at, t.blocked_at, t.resumed_at
    from unnest(%s::uuid[]) with ordinality as k (task_id, place)
    cross join lateral (
        select * from known_task as o where o.task_id = k.task_id limit 1
    ) as t
"""
STEPS: LiteralString = """
    select k.place, s.phase, s.since, s.due_at
    from unnest(%s::uuid[], %s::text[]) with ordinality as k (task_id, step, place)
    cross join lateral (
        select * from open_step as o where o.task_id = k.task_id and o.step = k.step limit 1
    ) as s
"""
BEGIN_TASKS: LiteralString = """
    insert into known_task select * from json_populate_recordset(null::known_task, %s)
"""
HOLD_TASKS: LiteralString = """
    update known_task as t
    set paused_at = n.paused_at, blocked_at = n.blocked_at, resumed_at = n.resumed_at
    from (
        select j.*, (select o.ctid from known_task as o where o.task_id = j.task_id) as place
        from json_populate_recordset(null::known_task, %s) as j
    ) as n
    where t.ctid = n.place
"""
STORE_STEPS: LiteralString = """
    insert into open_step
    select * from json_populate_recordset(null::open_step, %s)
    on conflict (task_id, step) do update
    set phase = excluded.phase, since = excluded.since, due_at = excluded.due_at
"""
CLOSE_STEPS: LiteralString = """
    delete from open_step as s
    using (
        select (
            select o.ctid from open_step as o where o.task_id = k.task_id and o.step = k.step
        ) as place
        from unnest(%s::uuid[], %s::text[]) as k (task_id, step)
    ) as n
    where s.ctid = n.place
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
        fold = AnalyticsFold(referenced_rows(events, begins=_enqueued_first), cursor)
        for _, _, event in events:
            if isinstance(event, StepEvent):
                fold.of_step(event)
            elif isinstance(event, TaskEvent):
                fold.of_task(event)
        fold.minutes.store(cursor)
        fold.store(cursor)


class Task(NamedTuple):
    """What is known of a task that its later events do not say again.

    `resumed_at` is there where it was paused before the time at which it was to start.
    """

    version: str
    created_at: datetime
    start_at: datetime | None
    paused_at: datetime | None = None
    blocked_at: datetime | None = None
    resumed_at: datetime | None = None


class Open(NamedTuple):
    """A step that is in the phase `queue`, `run` or `retry` since a time; others are not open."""

    phase: str
    since: datetime
    due_at: datetime | None = None


class AnalyticsFold:
    """What a batch adds to the minutes, and where it leaves its tasks and steps."""

    def __init__(self, concerned: ReferencedRows, cursor: Cursor) -> None:
        self.minutes = Minutes()
        tasks, steps = concerned.found(cursor, TASKS, STEPS)
        self._ids = concerned.ids
        self._tasks = {key: Task._make(values) for key, values in tasks.items()}
        self._steps = {key: Open._make(values) for key, values in steps.items()}
        self._begun: dict[int, TaskCreated] = {}
        self._held: dict[int, None] = {}
        self._stored = self._steps.copy()

    def store(self, cursor: Cursor) -> None:
        """Write where the tasks and steps stand."""
        begun = [_row(event, self._tasks[key]) for key, event in self._begun.items()]
        store(cursor, BEGIN_TASKS, begun)
        held = [
            {"task_id": self._ids[key], **self._tasks[key]._asdict()}
            for key in self._held
            if key not in self._begun
        ]
        store(cursor, HOLD_TASKS, held)
        left = [
            {"task_id": self._ids[key[0]], "step": key[1], **step._asdict()}
            for key, step in self._steps.items()
            if step is not self._stored.get(key)
        ]
        store(cursor, STORE_STEPS, left)
        gone = [key for key in self._stored if key not in self._steps]
        if gone:
            tasks = UuidArray([self._ids[task] for task, _ in gone])
            cursor.execute(CLOSE_STEPS, (tasks, TextArray([step for _, step in gone])))

    def of_task(self, event: TaskEvent) -> None:
        """Count what happened to a task."""
        key = event.task_id.int
        if isinstance(event, TaskCreated):
            self._tasks[key] = Task(event.version, event.occurred_at, event.start_at)
            self._begun[key] = event
        task = self._tasks.get(key)
        if task is None:
            return  # its beginning was dropped by an operator
        times = self.minutes.of(event, task.version)
        match event:
            case TaskCreated():
                times.of_tasks().counts["created"] += 1
            case TaskStarted():
                _started(task, event, times)
            case TaskPaused():
                self._hold(key, task._replace(paused_at=event.occurred_at))
            case TaskBlocked():
                self._hold(key, task._replace(blocked_at=event.occurred_at))
            case TaskResumed():
                self._resumed(key, task, event, times)
            case _:
                self._went_on(key, task, event, times)

    def _hold(self, key: int, task: Task) -> None:
        self._tasks[key] = task
        self._held[key] = None

    def _resumed(self, key: int, task: Task, event: TaskEvent, times: MinuteBucket) -> None:
        if task.paused_at is None:
            return
        # Until then it would not have started either.
        since = max(task.paused_at, task.start_at or task.paused_at)
        times.blocked("paused", since, event.occurred_at)
        if since > task.paused_at:
            task = task._replace(resumed_at=event.occurred_at)
        self._hold(key, task._replace(paused_at=None))

    def _went_on(self, key: int, task: Task, event: TaskEvent, times: MinuteBucket) -> None:
        """It is not blocked any more, and unless it was opened again, it has ended."""
        if task.blocked_at is not None:
            times.blocked("operator", task.blocked_at, event.occurred_at)
            task = task._replace(blocked_at=None)
            self._hold(key, task)
        ended = TASK_ENDED.get(type(event))
        if ended is not None:
            self._resumed(key, task, event, times)
            times.of_tasks().counts[ended] += 1
        if isinstance(event, TaskCompleted):
            times.of_tasks().time.add(event.occurred_at - task.created_at)

    def of_step(self, event: StepEvent) -> None:
        """Count what happened to a step."""
        key = event.task_id.int, event.step
        if isinstance(event, StepRetryScheduled):
            if key in self._steps:
                self._steps[key] = self._steps[key]._replace(due_at=event.due_at)
            return
        task = self._tasks.get(key[0])
        times = self.minutes.of(event, task.version if task else "")
        before = self._steps.pop(key, None)
        if before is not None:
            _left(before, event, times)
        counted = STEP_COUNTED.get(type(event))
        if counted is not None:
            of_step = times.steps[event.step]
            of_step.counts[counted] += 1
            _counted(event, times, of_step)
        phase = PHASES.get(type(event))
        if phase is not None:
            self._steps[key] = Open(phase, event.occurred_at)


def _enqueued_first(event: StepEvent) -> bool:
    return isinstance(event, StepEnqueued) and event.attempt == 1


def _left(before: Open, event: StepEvent, times: MinuteBucket) -> None:
    """The step was in a phase up to now."""
    phase, since, due = before
    until = event.occurred_at
    if phase == "queue":
        times.blocked("queue", since, until)
        if isinstance(event, StepStarted):
            times.steps[event.step].queue.add(until - since)
    elif phase == "run":
        of_step = times.steps[event.step]
        of_step.counts["runs"] += 1
        of_step.run.add(until - since)
    elif not isinstance(event, StepFailed):
        times.blocked("retry", since, until if due is None else min(due, until))


def _counted(event: StepEvent, times: MinuteBucket, of_step: OfStep) -> None:
    if isinstance(event, StepEnqueued):
        if event.waited_for is not None and event.waited_since is not None:
            times.blocked(WAITED_FOR[event.waited_for], event.waited_since, event.occurred_at)
    elif event.attempt > 1 and isinstance(event, StepStarted):
        of_step.counts["retried"] += 1


def _started(task: Task, event: TaskStarted, times: MinuteBucket) -> None:
    created, now = task.created_at, event.occurred_at
    begins = max(created, task.start_at or created)
    times.blocked("delayed_start", created, min(begins, now))
    times.blocked("coordinator", max(begins, task.resumed_at or begins), now)


def _row(event: TaskCreated, task: Task) -> Row:
    named = {"namespace": event.namespace, "template": event.template}
    return {"task_id": event.task_id, **named, **task._asdict()}
