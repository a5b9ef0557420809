"""Errors of requests that no coordinator answers."""

from __future__ import annotations

from uuid import UUID

from flowledger.engine.errors.base import EngineError


class RequestUnanswered(EngineError, TimeoutError):
    """The request is stored, and no coordinator had answered it within the time given.

    `parked` says why coordinators leave the task alone, where they do; None where they do not.
    """

    def __init__(
        self, task_id: UUID, request_id: UUID, seconds: float, parked: str | None = None
    ) -> None:
        super().__init__(
            f"no coordinator has answered within {seconds:g} s what was asked of task {task_id};"
            " the request stands, and is answered when one runs"
            if parked is None
            else f"task {task_id} is parked, so nothing that is asked of it is answered: {parked};"
            f" the request stands, and when that is mended, {_retry(task_id)} has it answered"
        )
        self.task_id = task_id
        self.request_id = request_id
        self.seconds = seconds
        self.parked = parked


class TaskNotCreated(EngineError):
    """The task was submitted, but no coordinator has seen it; nothing can be asked of it yet.

    `parked` says why they could not take it on, where they tried.
    """

    def __init__(self, task_id: UUID, parked: str | None = None) -> None:
        super().__init__(
            f"task {task_id} is only submitted: no coordinator has taken it on yet;"
            " ask again when one runs"
            if parked is None
            else f"task {task_id} is only submitted, and is parked: {parked};"
            f" when that is mended, {_retry(task_id)} has it taken on"
        )
        self.task_id = task_id
        self.parked = parked


def _retry(task_id: UUID) -> str:
    return f"`flowledger parked retry {task_id} --reason WHY`"
