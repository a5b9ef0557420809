"""Operators' requests: stored by the client, answered by a coordinator.

A request changes nothing by itself; see `events.requests`. It is stored before it is waited for, so
a caller who gives up, or dies, has asked all the same. With a key of the caller's, asking again is
asking once: the second call waits for the answer to the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from threading import Event as ThreadEvent
from time import monotonic
from typing import Any, NotRequired, TypedDict, TypeVar
from uuid import UUID

from flowledger.engine.client.stored_request import Request, asked_again, look, parked_because, told
from flowledger.engine.client.waiters import Waiters
from flowledger.engine.display_text import nearest, short
from flowledger.engine.domain.argument_checks import check_request, check_seconds, check_tags
from flowledger.engine.domain.deterministic_ids import request_id
from flowledger.engine.domain.event_text import actor_name
from flowledger.engine.domain.json_values import as_json
from flowledger.engine.domain.storable_text_check import unstorable
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import (
    InvalidRequest,
    TaskNotCreated,
    UnknownTask,
    UnknownTemplate,
)
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.requests import StepRequest, TaskRequest
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateResumed
from flowledger.engine.ports.client import Tasks
from flowledger.engine.ports.clock_and_wakeup import Clock
from flowledger.engine.ports.patience import answered_within

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
        time is up, EngineClosed; DatabaseSilent where the database does not answer for so long.
        """
        texts = {name: data[name] for name in ("step",) if name in data}
        check_request(kind.topic, {"reason": reason, "actor": actor, **texts}, key)
        check_seconds("timeout", timeout)
        if "result" in data:
            data["result"] = self._json("result", data["result"])
        seconds = self._seconds(timeout)
        with answered_within(seconds or None):
            return self._asked(kind, tasks, seconds, key, reason=reason, actor=actor, **data)

    def _asked(
        self, kind: Kind, tasks: Sequence[UUID], seconds: float, key: str | None, /, **data: Any
    ) -> list[Request]:
        deadline = monotonic() + seconds
        known = self._created(list(dict.fromkeys(tasks)), deadline)
        key = key or str(self._new_id())
        asked = [self._of_task(kind, created, key, **data) for created in known]
        if not asked:
            return []
        for stream in self._tasks.request(asked, key):
            _same(self._tasks.requested(stream), kind, data.get("step"), key)
        self._notify("fact")
        stands = (self._tasks, self._endings, self.wait_seconds)
        requests = [Request(one, key, *stands) for one in asked]
        if seconds > 0:
            with asked_again(requests):
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
            answered = ThreadEvent()
            with left[0].on_answer(answered.set):
                if not answered.wait(max(0.0, deadline - monotonic())):
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
            created = ThreadEvent()
            with told(self._endings, self._tasks.created, task, created.set):
                created.wait(max(0.0, deadline - monotonic()))
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


def _same(stored: TaskRequest, kind: Kind, step: str | None, key: str | None) -> None:
    """Refuse a key under which something else was asked."""
    about = stored.step if isinstance(stored, StepRequest) else None
    if type(stored) is not kind or about != step:
        of = f" of step {about!r}" if about is not None else ""
        raise InvalidRequest(
            f"key {key!r} of task {stored.task_id} stands for another request:"
            f" {stored.topic}{of} by {actor_name(stored.actor)}"
        )
