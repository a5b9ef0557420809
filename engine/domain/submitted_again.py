"""Tells a submission that is made once more from another one with the same id."""

from __future__ import annotations

import json

from flowledger.engine.errors import InvalidSubmission
from flowledger.engine.events.base import Event
from flowledger.engine.events.task import TaskCreated


def require_same(created: TaskCreated, stored: Event) -> None:
    """Raises InvalidSubmission where what is stored under the task's id is something else.

    The same is what has the same workflow and an equal context; priority, tags and times may be
    others.
    """
    if not isinstance(stored, TaskCreated):
        raise InvalidSubmission(
            f"task_id {created.task_id} is that of something else, which begins with"
            f" {stored.topic}: give each task an id of its own"
        )
    told = [json.dumps(one.context, sort_keys=True) for one in (stored, created)]
    if stored.template_id != created.template_id or told[0] != told[1]:
        raise InvalidSubmission(
            f"task_id {created.task_id} is that of a task of {stored.namespace}/{stored.template}"
            f"@{stored.version} with another context: give each task an id of its own"
        )
