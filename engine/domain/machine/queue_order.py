"""In which order queued steps are claimed."""

from __future__ import annotations

from datetime import datetime

from flowledger.engine.domain.deterministic_ids import EPOCH
from flowledger.engine.domain.machine.task_run import TaskRun


def queue_sort_key(run: TaskRun, now: datetime, ageing_seconds: float) -> float:
    """Where the steps of a task stand in the queue: the smallest is claimed first.

    It is the time at which the task was submitted, in seconds since 1970, so that what was begun
    first is finished first; a point of priority is worth `ageing_seconds`. A task that began in the
    turn of its fairness key stands as the oldest that waited then. Whose clock it was by may have
    been ahead: it counts as `now` at the latest.
    """
    submitted = min(run.created_at if run.turn_since is None else run.turn_since, now)
    return _worth(submitted, run, ageing_seconds)


def wait_sort_key(run: TaskRun, now: datetime, ageing_seconds: float) -> float:
    """Where a step stands that begins to wait now for what it must be granted, in the same unit."""
    return _worth(now, run, ageing_seconds)


def _worth(since: datetime, run: TaskRun, ageing_seconds: float) -> float:
    return (since - EPOCH).total_seconds() - run.priority * ageing_seconds
