"""What became of a request, and how it is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from typing import Any
from uuid import UUID

from flowledger.engine.cli.output import tell, tell_json
from flowledger.engine.client.engine import Engine
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.client.stored_request import Request
from flowledger.engine.client.task import TaskHandle
from flowledger.engine.domain.explain.reasons import Explanation, ReasonKind
from flowledger.engine.errors import EngineError, RequestDenied, RequestUnanswered

NOT_DONE = 1

SILENCE_SECONDS = 1.0
"""After so long without an answer is said why, where that is known."""

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


@contextmanager
def telling_why_it_waits(engine: Engine, task_id: UUID, asking: RequestOptions) -> Generator[None]:
    """For a block that waits for an answer about the task: say before long that none is to come."""
    given = asking.get("timeout")
    seconds = engine.settings.submit.request_timeout_seconds if given is None else given
    if seconds <= SILENCE_SECONDS:
        yield
        return
    timer = Timer(SILENCE_SECONDS, _tell_why_it_waits, (engine, task_id, seconds))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _tell_why_it_waits(engine: Engine, task_id: UUID, seconds: float) -> None:
    try:
        why = _silence(engine.explain(task_id))
    except EngineError:
        return  # whoever waits is told
    if why is not None:
        tell(f"{why}; waiting for an answer for up to {seconds:g} s (--wait)", err=True)


def _silence(found: Explanation) -> str | None:
    """Why nobody answers what is asked of a task; None where somebody does."""
    for reason in found:
        if reason.kind is ReasonKind.PARKED:
            return f"task {found.task_id} is {reason.sentence}"
        if "leader" in reason.details:
            return reason.sentence
    return None


def awaited(request: Request, seconds: float, left: float) -> Answer:
    """The answer to a request that is stored, of whose time to wait so many seconds are left."""
    if seconds == 0:
        return stored(request)
    try:
        request.wait(left)
    except RequestDenied as refused:
        return Answer("refused", refused.message, request.id)
    except RequestUnanswered as unanswered:
        said = str(RequestUnanswered(request.task_id, request.id, seconds, unanswered.parked))
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
