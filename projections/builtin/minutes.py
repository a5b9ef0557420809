"""Sums and maxima by the minute, as they grow while events are added, and as they are stored."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import LiteralString

from flowledger.engine.domain.event import TaskEvent
from flowledger.projections.builtin.rows import Row, store
from flowledger.projections.cursor import Cursor

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
STEP_TIMES = ("run_time", "longest_run", "queue_time", "longest_queue")


class Minutes:
    """What is to be added to each minute."""

    def __init__(self) -> None:
        self._all: dict[Bucket, Times] = {}
        self._last: dict[Named, Times] = {}

    def of(self, event: TaskEvent, version: str) -> Times:
        """The minute and the template of an event."""
        named = event.namespace, event.template, version
        # The log goes by time, nearly: to hash a time for each event took a third of all.
        last = self._last.get(named)
        if last is None or not last.begins <= event.occurred_at < last.ends:
            minute = event.occurred_at.replace(second=0, microsecond=0)
            bucket = minute, *named
            last = self._all.get(bucket)
            if last is None:
                last = self._all[bucket] = Times(minute)
            self._last[named] = last
        return last

    def store(self, cursor: Cursor) -> None:
        """Add it to what is stored."""
        places = [(_named(bucket), self._all[bucket]) for bucket in sorted(self._all)]
        tasks = [named | at.tasks for named, at in places if at.tasks is not None]
        store(cursor, STORE_TASKS, tasks)
        steps = [
            named | {"step": step} | at.steps[step] for named, at in places for step in at.steps
        ]
        store(cursor, STORE_STEPS, steps)
        blocked = [
            named | {"reason": reason} | at.reasons[reason]
            for named, at in places
            for reason in at.reasons
        ]
        store(cursor, STORE_BLOCKED, blocked)


class Times:
    """What a minute gets of a template. Times that end before they begin count as none."""

    def __init__(self, begins: datetime) -> None:
        self.begins = begins
        self.ends = begins + MINUTE
        self.steps: defaultdict[str, Row] = defaultdict(_step_row)
        self.reasons: defaultdict[str, Row] = defaultdict(_blocked_row)
        self.tasks: Row | None = None

    def _of_tasks(self) -> Row:
        if self.tasks is None:
            self.tasks = _task_row()
        return self.tasks

    def task(self, counted: str) -> None:
        """Count a task."""
        self._of_tasks()[counted] += 1

    def task_time(self, since: datetime, until: datetime) -> None:
        """Add the time that a task took."""
        _add(self._of_tasks(), "total_time", "longest_time", until - since)

    def step(self, step: str, counted: str) -> None:
        """Count an event of a step."""
        self.steps[step][counted] += 1

    def step_time(self, step: str, what: str, since: datetime, until: datetime) -> None:
        """Add the time that a step was in the `queue`, or had its `run`."""
        _add(self.steps[step], f"{what}_time", f"longest_{what}", until - since)

    def blocked(self, reason: str, since: datetime | None, until: datetime) -> None:
        """Add the time for which something could not go on; nothing where that never began."""
        if since is not None and until > since:
            row = self.reasons[reason]
            row["times"] += 1
            _add(row, "total_time", "longest_time", until - since)


def _add(row: Row, total: str, longest: str, time: timedelta) -> None:
    if time > NONE:
        row[total] += time
        row[longest] = max(row[longest], time)


def _named(bucket: Bucket) -> Row:
    minute, namespace, template, version = bucket
    return {"minute": minute, "namespace": namespace, "template": template, "version": version}


def _task_row() -> Row:
    return {**dict.fromkeys(TASK_COUNTS, 0), "total_time": NONE, "longest_time": NONE}


def _step_row() -> Row:
    return {**dict.fromkeys(STEP_COUNTS, 0), **dict.fromkeys(STEP_TIMES, NONE)}


def _blocked_row() -> Row:
    return {"times": 0, "total_time": NONE, "longest_time": NONE}
