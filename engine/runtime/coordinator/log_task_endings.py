"""Log lines about tasks that ended or are blocked, once that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.task import (
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskResolvedManually,
)
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from flowledger.engine.telemetry.log import Log
from flowledger.engine.telemetry.log_messages import Signal

ENDINGS: Mapping[type[TaskEvent], Signal] = MappingProxyType(
    {
        TaskBlocked: Signal.TASK_BLOCKED,
        TaskCancelled: Signal.TASK_CANCELLED,
        TaskCompleted: Signal.TASK_COMPLETED,
        TaskFailed: Signal.TASK_FAILED,
        TaskResolvedManually: Signal.TASK_RESOLVED_MANUALLY,
    }
)
SAID = ("failed_steps", "reason")
"""What the events say of why, where they say it."""


def log_ended_tasks(log: Log, batch: CommitBatch) -> None:
    """A line for each ending in a batch that is stored; nothing is looked at if nobody reads it."""
    if not log.hears(Signal.TASK_COMPLETED):
        return
    ended = [event for event in batch.events if type(event) in ENDINGS]
    runs = {run.task_id: run for run in batch.runs} if ended else {}
    for event in ended:
        run = runs[event.task_id]
        log.emit(
            ENDINGS[type(event)],
            correlation_id=run.correlation_id,
            task_id=run.task_text,
            template=run.plan.template.key,
            seconds=round((event.occurred_at - run.created_at).total_seconds(), 3),
            **_why(event),
        )


def _why(event: TaskEvent) -> dict[str, Any]:
    said = {name: getattr(event, name, None) for name in SAID}
    return {name: value for name, value in said.items() if value}
