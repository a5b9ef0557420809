"""Sums and maxima by the minute, as they grow while events are added, and as they are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import LiteralString

from flowledger.engine.domain.event import TaskEvent
from flowledger.projections.builtin.rows import Row, store
from flowledger.projections.cursor import Cursor

NONE = timedelta()
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
        self._tasks: defaultdict[Bucket, Row] = defaultdict(_task_row)
        self._steps: defaultdict[tuple[Bucket, str], Row] = defaultdict(_step_row)
        self._blocked: defaultdict[tuple[Bucket, str], Row] = defaultdict(_blocked_row)

    def of(self, event: TaskEvent, version: str) -> Times:
        """The minute and the template of an event."""
        minute = event.occurred_at.replace(second=0, microsecond=0)
        bucket = minute, event.namespace, event.template, version
        return Times(bucket, self._tasks, self._steps, self._blocked)

    def store(self, cursor: Cursor) -> None:
        """Add it to what is stored."""
        store(cursor, STORE_TASKS, [_named(one) | self._tasks[one] for one in sorted(self._tasks)])
        store(cursor, STORE_STEPS, _further_named(self._steps, "step"))
        store(cursor, STORE_BLOCKED, _further_named(self._blocked, "reason"))


class Times:
    """What an event adds to its minute. Times that end before they begin count as none."""

    def __init__(
        self,
        bucket: Bucket,
        tasks: defaultdict[Bucket, Row],
        steps: defaultdict[tuple[Bucket, str], Row],
        blocked: defaultdict[tuple[Bucket, str], Row],
    ) -> None:
        self._bucket = bucket
        self._tasks = tasks
        self._steps = steps
        self._blocked = blocked

    def task(self, counted: str) -> None:
        """Count a task."""
        self._tasks[self._bucket][counted] += 1

    def task_time(self, since: datetime, until: datetime) -> None:
        """Add the time that a task took."""
        _add(self._tasks[self._bucket], "total_time", "longest_time", until - since)

    def step(self, step: str, counted: str) -> None:
        """Count an event of a step."""
        self._steps[self._bucket, step][counted] += 1

    def step_time(self, step: str, what: str, since: datetime, until: datetime) -> None:
        """Add the time that a step was in the `queue`, or had its `run`."""
        _add(self._steps[self._bucket, step], f"{what}_time", f"longest_{what}", until - since)

    def blocked(self, reason: str, since: datetime | None, until: datetime) -> None:
        """Add the time for which something could not go on; nothing where that never began."""
        if since is not None and until > since:
            row = self._blocked[self._bucket, reason]
            row["times"] += 1
            _add(row, "total_time", "longest_time", until - since)


def _add(row: Row, total: str, longest: str, time: timedelta) -> None:
    time = max(time, NONE)
    row[total] += time
    row[longest] = max(row[longest], time)


def _named(bucket: Bucket) -> Row:
    minute, namespace, template, version = bucket
    return {"minute": minute, "namespace": namespace, "template": template, "version": version}


def _further_named(rows: Mapping[tuple[Bucket, str], Row], name: str) -> list[Row]:
    places = sorted(rows)
    return [_named(place[0]) | {name: place[1]} | rows[place] for place in places]


def _task_row() -> Row:
    return {**dict.fromkeys(TASK_COUNTS, 0), "total_time": NONE, "longest_time": NONE}


def _step_row() -> Row:
    return {**dict.fromkeys(STEP_COUNTS, 0), **dict.fromkeys(STEP_TIMES, NONE)}


def _blocked_row() -> Row:
    return {"times": 0, "total_time": NONE, "longest_time": NONE}
