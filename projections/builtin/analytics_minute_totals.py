"""Sums and maxima by the minute, as events add to them, and as rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import LiteralString

from flowledger.engine.events.base import TaskEvent
from flowledger.projections.builtin.rows_touched_by_batch import Row, store
from flowledger.projections.restricted_cursor import Cursor

NONE = timedelta()
MINUTE = timedelta(minutes=1)
Named = tuple[str, str, str]
Bucket = tuple[datetime, str, str, str]

STORE_TASKS: LiteralString = """
    insert into task_minute as m
    select * from json_populate_recordset(null::task_minute, %s)
    on conflict (minute, namespace, template, version) do update
    set created = m.created + excluded.created,
        completed = m.completed + excluded.completed,
        failed = m.failed + excluded.failed,
        cancelled = m.cancelled + excluded.cancelled,
        resolved = m.resolved + excluded.resolved,
        total_time = m.total_time + excluded.total_time,
        longest_time = greatest(m.longest_time, excluded.longest_time)
"""
STORE_STEPS: LiteralString = """
    insert into step_minute as m
    select * from json_populate_recordset(null::step_minute, %s)
    on conflict (minute, namespace, template, version, step) do update
    set enqueued = m.enqueued + excluded.enqueued,
        started = m.started + excluded.started,
        completed = m.completed + excluded.completed,
        failed = m.failed + excluded.failed,
        timed_out = m.timed_out + excluded.timed_out,
        lost = m.lost + excluded.lost,
        handed_back = m.handed_back + excluded.handed_back,
        retried = m.retried + excluded.retried,
        errored = m.errored + excluded.errored,
        cancelled = m.cancelled + excluded.cancelled,
        runs = m.runs + excluded.runs,
        run_time = m.run_time + excluded.run_time,
        longest_run = greatest(m.longest_run, excluded.longest_run),
        queue_time = m.queue_time + excluded.queue_time,
        longest_queue = greatest(m.longest_queue, excluded.longest_queue)
"""
STORE_BLOCKED: LiteralString = """
    insert into blocked_minute as m
    select * from json_populate_recordset(null::blocked_minute, %s)
    on conflict (minute, namespace, template, version, reason) do update
    set times = m.times + excluded.times,
        total_time = m.total_time + excluded.total_time,
        longest_time = greatest(m.longest_time, excluded.longest_time)
"""
TASK_COUNTS = ("created", "completed", "failed", "cancelled", "resolved")
STEP_COUNTS = (
    *("enqueued", "started", "completed", "failed", "timed_out", "lost", "handed_back"),
    *("retried", "errored", "cancelled", "runs"),
)


class Minutes:
    """What is to be added to each minute."""

    def __init__(self) -> None:
        self._all: dict[Bucket, MinuteBucket] = {}
        self._last: dict[Named, MinuteBucket] = {}

    def of(self, event: TaskEvent, version: str) -> MinuteBucket:
        """The minute and the template of an event."""
        named = event.namespace, event.template, version
        # The log goes by time, nearly: to hash a time for each event took a third of all.
        last = self._last.get(named)
        if last is None or not last.begins <= event.occurred_at < last.ends:
            minute = event.occurred_at.replace(second=0, microsecond=0)
            bucket = minute, *named
            last = self._all.get(bucket)
            if last is None:
                last = self._all[bucket] = MinuteBucket(minute)
            self._last[named] = last
        return last

    def store(self, cursor: Cursor) -> None:
        """Add it to what is stored."""
        places = [(_named(bucket), self._all[bucket]) for bucket in sorted(self._all)]
        tasks = [named | at.tasks.row() for named, at in places if at.tasks is not None]
        store(cursor, STORE_TASKS, tasks)
        steps = [
            named | {"step": step} | of_step.row()
            for named, at in places
            for step, of_step in at.steps.items()
        ]
        store(cursor, STORE_STEPS, steps)
        blocked = [
            named | {"reason": reason, "times": span.times} | span.row("total_time", "longest_time")
            for named, at in places
            for reason, span in at.reasons.items()
        ]
        store(cursor, STORE_BLOCKED, blocked)


class MinuteBucket:
    """What a minute gets of a template."""

    def __init__(self, begins: datetime) -> None:
        self.begins = begins
        self.ends = begins + MINUTE
        self.steps: defaultdict[str, OfStep] = defaultdict(OfStep)
        self.reasons: defaultdict[str, Span] = defaultdict(Span)
        self.tasks: OfTasks | None = None

    def of_tasks(self) -> OfTasks:
        """What it gets of tasks."""
        if self.tasks is None:
            self.tasks = OfTasks()
        return self.tasks

    def blocked(self, reason: str, since: datetime, until: datetime) -> None:
        """Add the time for which something could not go on, unless there was none."""
        if until > since:
            self.reasons[reason].add(until - since)


class Span:
    """How many times, together and the longest."""

    __slots__ = ("longest", "times", "total")

    def __init__(self) -> None:
        self.times = 0
        self.total = self.longest = NONE

    def add(self, time: timedelta) -> None:
        """One more, as it is: what is said to have ended before it began is not hidden."""
        self.times += 1
        self.total += time
        self.longest = max(self.longest, time)

    def row(self, total: str, longest: str) -> Row:
        """Its columns, by these names."""
        return {total: self.total, longest: self.longest}


class OfTasks:
    """Counts of tasks, and for how long those took that completed."""

    __slots__ = ("counts", "time")

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(TASK_COUNTS, 0)
        self.time = Span()

    def row(self) -> Row:
        """Its columns."""
        return self.counts | self.time.row("total_time", "longest_time")


class OfStep:
    """Counts of a step's events, for how long it ran, and was in the queue before that."""

    __slots__ = ("counts", "queue", "run")

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(STEP_COUNTS, 0)
        self.run = Span()
        self.queue = Span()

    def row(self) -> Row:
        """Its columns."""
        times = self.run.row("run_time", "longest_run")
        return self.counts | times | self.queue.row("queue_time", "longest_queue")


def _named(bucket: Bucket) -> Row:
    minute, namespace, template, version = bucket
    return {"minute": minute, "namespace": namespace, "template": template, "version": version}
