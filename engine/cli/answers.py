"""What became of a request, and how it is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flowledger.engine.cli.output import tell, tell_json
from flowledger.engine.client.requests import Request, RequestOptions
from flowledger.engine.client.task import TaskHandle
from flowledger.engine.errors import RequestDenied, RequestUnanswered

NOT_DONE = 1

Verb = Callable[..., Request]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request. `said` is for people."""

    answer: str
    said: str
    request: UUID

    @property
    def failed(self) -> bool:
        """Whether what was asked for did not happen."""
        return self.answer in {"refused", "unanswered"}

    def facts(self, about: dict[str, Any]) -> dict[str, Any]:
        """The answer for programs, with where the task stands."""
        found = {**about, "request": str(self.request), "answer": self.answer}
        return found if self.said == "granted" else {**found, "message": self.said}


def asked(verb: Verb, asking: RequestOptions) -> Answer:
    """Ask, and wait as long as was asked for. Raises what the verbs raise for bad input."""
    try:
        request = verb(**asking)
    except RequestDenied as refused:
        return Answer("refused", refused.message, refused.request_id)
    except RequestUnanswered as unanswered:
        return Answer("unanswered", str(unanswered), unanswered.request_id)
    return stored(request) if asking.get("timeout") == 0 else granted(request)


def awaited(request: Request, seconds: float, left: float) -> Answer:
    """The answer to a request that is stored, of whose time to wait so many seconds are left."""
    if seconds == 0:
        return stored(request)
    try:
        request.wait(left)
    except RequestDenied as refused:
        return Answer("refused", refused.message, request.id)
    except RequestUnanswered:
        said = str(RequestUnanswered(request.task_id, request.id, seconds))
        return Answer("unanswered", said, request.id)
    return granted(request)


def stored(request: Request) -> Answer:
    """It is not waited for."""
    return Answer("stored", "the request is stored; a coordinator will answer it", request.id)


def granted(request: Request) -> Answer:
    """A coordinator has granted it."""
    said = f"granted; {request.message}" if request.message else "granted"
    return Answer("granted", said, request.id)


def tell_answer(answer: Answer, about: dict[str, Any], *, as_json: bool) -> None:
    """Print the answer, and exit with 1 where what was asked for did not happen."""
    if as_json:
        tell_json(answer.facts(about))
    elif answer.failed:
        tell(f"{answer.answer}: {answer.said}", err=True)
    else:
        tell(f"{answer.said}: {stands(about)}")
    if answer.failed:
        sys.exit(NOT_DONE)


def stands(about: dict[str, Any]) -> str:
    """Where the task stands, and the step where it is about one, after the answer."""
    paused = ", paused" if about["paused"] else ""
    step = f"step {about['step']} is {about['step_state']}, " if "step_state" in about else ""
    return f"{step}task {about['task']} is {about['state']}{paused}"


def about_task(task: TaskHandle) -> dict[str, Any]:
    """Where the task stands."""
    return {"task": str(task.id), "state": task.state.value, "paused": task.paused}
