"""Operators' requests: stored by the client, answered by a coordinator.

A request changes nothing by itself; see `events.requests`. It is stored before it is waited for, so
a caller who gives up, or dies, has asked all the same. With a key of the caller's, asking again is
asking once: the second call waits for the answer to the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from threading import Event as ThreadEvent
from time import monotonic
from typing import Any, NotRequired, TypedDict, TypeVar
from uuid import UUID

from flowledger.engine.client.waiters import Question, Waiters
from flowledger.engine.display_text import nearest, on_one_line, short
from flowledger.engine.domain.argument_checks import check_request, check_seconds, check_tags
from flowledger.engine.domain.deterministic_ids import request_id
from flowledger.engine.domain.event_text import actor_name
from flowledger.engine.domain.json_values import as_json
from flowledger.engine.domain.storable_text_check import unstorable
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import (
    EngineClosed,
    InvalidRequest,
    RequestDenied,
    RequestUnanswered,
    TaskNotCreated,
    UnknownTask,
    UnknownTemplate,
)
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.requests import RequestRefused, StepRequest, TaskRequest
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateResumed
from flowledger.engine.ports.client import Answer, Tasks
from flowledger.engine.ports.clock_and_wakeup import Clock

Kind = type[TaskRequest]
E = TypeVar("E", TaskRequest, TaskNote)
LAST_POSITION = 2**63 - 1
TEMPLATE_KEY = re.compile(r"[^/@]+/[^/@]+@[^/@]+")


class RequestOptions(TypedDict):
    """What goes with every request.

    `reason` says why and `actor` who asks; both are stored with the request and with all that
    follows from it. `timeout` is how many seconds to wait for the answer, 0 not at all; without it,
    `submit.request_timeout_seconds`. Of requests with the same `key` about one task only the first
    is one.
    """

    reason: str
    actor: str
    timeout: NotRequired[float | None]
    key: NotRequired[str | None]


class NoteOptions(TypedDict):
    """What goes with every note on a task.

    `actor` says who notes it and `reason` perhaps why. Of notes with the same `key` about one task
    only the first is stored.
    """

    actor: str
    reason: NotRequired[str | None]
    key: NotRequired[str | None]


class Request:
    """Something that was asked of a task, and stored; `id` is its stream in the log."""

    def __init__(
        self, task_id: UUID, request: UUID, tasks: Tasks, endings: Waiters, wait_seconds: float
    ) -> None:
        self.id = request
        self.task_id = task_id
        self._tasks = tasks
        self._endings = endings
        self._wait_seconds = wait_seconds
        self._answer: Answer | None = None

    def __repr__(self) -> str:
        return f"Request({self.id}, task {self.task_id})"

    @property
    def answered(self) -> bool:
        """Whether a coordinator has granted or refused it."""
        return not look([self], self._tasks)

    @property
    def refusal(self) -> str | None:
        """Why it was refused, and what could be asked; None where it was not, or not yet."""
        answered, answer = self.answered, self._answer
        return answer.message if answered and isinstance(answer, RequestRefused) else None

    @property
    def message(self) -> str | None:
        """What was said with the answer: why not, or what has to wait although it was granted."""
        answered, answer = self.answered, self._answer
        return answer.message if answered and answer is not None else None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is granted, at most `timeout` seconds, or as many as are configured.

        Raises RequestDenied; RequestUnanswered when the time is up, and then the request stands;
        EngineClosed when another thread closes the engine.
        """
        check_seconds("timeout", timeout)
        seconds = self.timeout_or_default(timeout)
        if not self.answered:
            told = ThreadEvent()
            with self.on_answer(told.set):
                told.wait(seconds)
        self.check_answer(seconds)

    def timeout_or_default(self, timeout: float | None) -> float:
        """How long to wait where the caller has said so, or has not."""
        return self._wait_seconds if timeout is None else timeout

    def check_answer(self, seconds: float) -> None:
        """Return where it is granted, after that many seconds; else raise what `wait` raises."""
        if not self.answered:
            if self._endings.stopped:
                raise EngineClosed(self.task_id)
            raise RequestUnanswered(
                self.task_id, self.id, seconds, parked_because(self._tasks, self.task_id)
            )
        if self.refusal is not None:
            raise RequestDenied(self.task_id, self.id, self.refusal)

    @contextmanager
    def on_answer(self, answered: Callable[[], object]) -> Generator[None]:
        """Within the block, call it from another thread once there is an answer, or no engine."""
        with _told(self._endings, self._tasks.answers, self.id, answered):
            yield

    @property
    def known_answer(self) -> bool:
        """Whether an answer was seen."""
        return self._answer is not None

    def set_answer(self, answer: Answer | None) -> None:
        """What was found in the log; an answer never changes."""
        self._answer = self._answer or answer


class Operations:
    """Stores requests about tasks, and waits for their answers."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        *,
        tasks: Tasks,
        clock: Clock,
        new_id: Callable[[], UUID],
        notify: Callable[[str], None],
        endings: Waiters,
        wait_seconds: float,
        max_result_bytes: int,
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self._new_id = new_id
        self._notify = notify
        self._endings = endings
        self.wait_seconds = wait_seconds
        self._max_result_bytes = max_result_bytes

    def ask(  # noqa: PLR0913 - what every request has
        self,
        kind: Kind,
        tasks: Sequence[UUID],
        *,
        reason: str | None = None,
        actor: str | None = None,
        timeout: float | None = None,
        key: str | None = None,
        **data: Any,
    ) -> list[Request]:
        """Ask the same of many tasks in one transaction, and wait for all the answers.

        Some may be refusals. Raises UnknownTask, TaskNotCreated, InvalidRequest, and then nothing
        is stored; MaybeStored, whose key is that of all these requests; RequestUnanswered when the
        time is up, EngineClosed.
        """
        texts = {name: data[name] for name in ("step",) if name in data}
        check_request(kind.topic, {"reason": reason, "actor": actor, **texts}, key)
        check_seconds("timeout", timeout)
        if "result" in data:
            data["result"] = self._json("result", data["result"])
        deadline = monotonic() + self._seconds(timeout)
        known = self._created(list(dict.fromkeys(tasks)), deadline)
        key = key or str(self._new_id())
        asked = [
            self._of_task(kind, created, key, reason=reason, actor=actor, **data)
            for created in known
        ]
        if not asked:
            return []
        for stream in self._tasks.request(asked, key):
            _same(self._tasks.requested(stream), kind, data.get("step"), key)
        self._notify("fact")
        stands = (self._tasks, self._endings, self.wait_seconds)
        requests = [Request(one.task_id, one.originator_id, *stands) for one in asked]
        seconds = self._seconds(timeout)
        if seconds > 0:
            self._await(requests, seconds, deadline)
        return requests

    def note(self, kind: type[TaskNote], task: UUID, /, **noted: Any) -> None:
        """Store what somebody notes of a task, with the fields that notes of this kind have.

        `key` is as that of a request, for notes. Raises UnknownTask, TaskNotCreated and
        InvalidRequest, and then nothing is stored; MaybeStored.
        """
        key = noted.pop("key")
        given = [name for name, value in noted.items() if name != "reason" or value is not None]
        texts = {"actor", "kind", "reason"}.intersection(given)
        check_request(kind.topic, {name: noted[name] for name in sorted(texts)}, key)
        if "tags" in noted:
            noted["tags"] = check_tags(kind.topic, noted["tags"], InvalidRequest)
        if "value" in noted:
            noted["value"] = self._json("value", noted["value"])
            fault = unstorable(noted["value"], "value")
            if fault is not None:
                raise InvalidRequest(f"{kind.topic}: {fault}")
        (created,) = self._created([task], monotonic() + self.wait_seconds)
        key = key or str(self._new_id())
        self._tasks.note([self._of_task(kind, created, f"note {key}", **noted)], key)

    def mark_template(
        self, kind: type[TemplatePaused | TemplateResumed], key: str, *, reason: str, actor: str
    ) -> bool:
        """Pause a template or let it go on, at once. Returns whether that changed anything.

        Raises UnknownTemplate, InvalidRequest.
        """
        check_request(kind.topic, {"reason": reason, "actor": actor}, None)
        template_id = template_named(self._tasks, key)
        self._tasks.keep_time()
        last = self._tasks.last_events([template_id], LAST_POSITION)[template_id].event
        event_id = self._new_id()
        event = kind(
            originator_id=template_id,
            originator_version=2,  # the store knows which is the next
            event_id=event_id,
            occurred_at=max(self._clock.now(), last.occurred_at),
            correlation_id=str(event_id),
            actor=actor,
            reason=reason,
        )
        changed = self._tasks.pause_template(template_id, event)
        self._notify("fact")
        return changed

    def _seconds(self, timeout: float | None) -> float:
        return self.wait_seconds if timeout is None else timeout

    def _await(self, requests: Sequence[Request], seconds: float, deadline: float) -> None:
        left = look(requests, self._tasks)
        while left:
            told = ThreadEvent()
            with left[0].on_answer(told.set):
                if not told.wait(max(0.0, deadline - monotonic())):
                    break
            left = look(left, self._tasks)
            if self._endings.stopped:
                break
        for request in look(left, self._tasks):
            request.check_answer(seconds)

    def _created(self, tasks: Sequence[UUID], deadline: float) -> Sequence[TaskCreated]:
        """How the tasks began. Those that are only submitted are waited for."""
        found = dict(self._tasks.created(tasks))
        submitted = [task for task in tasks if task not in found]
        for task in submitted:
            if not self._tasks.known(task):
                raise UnknownTask(task)
        for task in submitted:
            told = ThreadEvent()
            with _told(self._endings, self._tasks.created, task, told.set):
                told.wait(max(0.0, deadline - monotonic()))
        if submitted:
            found.update(self._tasks.created(submitted))
        for task in submitted:
            if task not in found:
                raise TaskNotCreated(task, parked_because(self._tasks, task))
        return [found[task] for task in tasks]

    def _json(self, name: str, given: object) -> Any:
        """The value as it comes out of the log."""
        try:
            value, text = as_json(given)
        except ValueError as error:
            raise InvalidRequest(f"the {name} cannot be stored: {name}{error}") from error
        if len(text) > self._max_result_bytes:
            raise InvalidRequest(
                f"the {name} has {len(text)} bytes as JSON;"
                f" worker.max_result_bytes is {self._max_result_bytes}"
            )
        return value

    def _of_task(self, kind: type[E], created: TaskCreated, key: str, /, **data: Any) -> E:
        """The first event of a stream that the key names, beside the task's steps."""
        unknown = sorted(data.keys() - kind.model_fields.keys())
        if unknown:
            raise InvalidRequest(f"{kind.topic}: {unknown[0]!r} is nothing that it takes")
        event_id = self._new_id()
        self._tasks.keep_time()
        return kind(
            originator_id=request_id(created.task_id, key),
            originator_version=1,
            event_id=event_id,
            occurred_at=max(self._clock.now(), created.occurred_at),
            correlation_id=created.correlation_id,
            task_id=created.task_id,
            namespace=created.namespace,
            template=created.template,
            **data,
        )


def parked_because(tasks: Tasks, task_id: UUID) -> str | None:
    """Why coordinators leave the task alone, where they do."""
    parked = tasks.surroundings(task_id)[1].parked
    return None if parked is None else on_one_line(parked.reason)


def template_named(tasks: Tasks, key: object) -> UUID:
    """The id of a registered template, by `namespace/name@version`. Raises UnknownTemplate."""
    if not isinstance(key, str) or TEMPLATE_KEY.fullmatch(key) is None:
        raise UnknownTemplate(f"template {shown(key)} should be written as namespace/name@version")
    known = {f"{row[0]}/{row[1]}@{row[2]}": row for row in tasks.templates()}
    if key not in known:
        raise UnknownTemplate(f"there is no template {short(key)}{nearest(key, known)}")
    namespace, name, version, _ = known[key]
    named = Template.model_construct(namespace=namespace, name=name, version=version)
    return named.template_id


def look(requests: Sequence[Request], tasks: Tasks) -> list[Request]:
    """Ask the log about those that have no answer yet; returns those that still have none."""
    unanswered = [request for request in requests if not request.known_answer]
    if unanswered:
        answers = tasks.answers([request.id for request in unanswered])
        for request in unanswered:
            request.set_answer(answers.get(request.id))
    return [request for request in unanswered if not request.known_answer]


@contextmanager
def _told(
    endings: Waiters, question: Question, of: UUID, told: Callable[[], object]
) -> Generator[None]:
    endings.subscribe(question, of, told)
    try:
        yield
    finally:
        endings.unsubscribe(question, of, told)


def _same(stored: TaskRequest, kind: Kind, step: str | None, key: str | None) -> None:
    """Refuse a key under which something else was asked."""
    about = stored.step if isinstance(stored, StepRequest) else None
    if type(stored) is not kind or about != step:
        of = f" of step {about!r}" if about is not None else ""
        raise InvalidRequest(
            f"key {key!r} of task {stored.task_id} stands for another request:"
            f" {stored.topic}{of} by {actor_name(stored.actor)}"
        )
