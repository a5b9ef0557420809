"""The options of `submit`, and the event that they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, TypeVar
from uuid import UUID

from flowledger.engine.display_text import nearest
from flowledger.engine.domain.argument_checks import (
    check_submission,
    check_tags,
    check_times,
    identity_of,
    plain_time,
    task_id_of,
)
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.json_values import as_json
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.errors import InvalidContext, InvalidSubmission
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.clock_and_wakeup import Clock

C = TypeVar("C")
OnDuplicate = Literal["return", "raise"]


class EachSubmission(TypedDict, total=False):
    """What may be said of a task, or of many alike.

    Higher priorities go first. Nothing is queued before `start_at`; a task that has not ended by
    `deadline_at` is stopped, and without one the template's deadline counts. `tags` are for people,
    and for read models. A task with the same identity (see `Workflow(identity=…)`) is returned, or
    DuplicateTask is raised. With a `connection` (psycopg's, SQLAlchemy's Connection or Session on
    psycopg, Django's) the task is part of its transaction: it exists when that commits, and never
    if it does not.
    """

    on_duplicate: OnDuplicate
    priority: int
    correlation_id: str | None
    actor: str | None
    start_at: datetime | None
    deadline_at: datetime | None
    tags: Sequence[str]
    connection: object | None


class SubmitOptions(EachSubmission, total=False):
    """What may be said of one task.

    `idempotency_key` names it, where the template asks for one. `task_id` is the id of an earlier
    attempt whose answer was lost: that task is returned where it is stored, and else stored. Raises
    InvalidSubmission for the id of a task with another workflow or context.
    """

    idempotency_key: str | None
    task_id: UUID | None


class SubmitManyOptions(EachSubmission, total=False):
    """What may be said of many tasks: one key and one id for each context."""

    idempotency_keys: Sequence[str | None] | None
    task_ids: Sequence[UUID] | None


def check_options(verb: str, given: TypedDict, kind: type[Any]) -> None:  # type: ignore[valid-type]
    """Refuse an option that there is not, which only a type checker would see. Raises TypeError."""
    known: frozenset[str] = frozenset(kind.__annotations__)
    for name in given:  # type: ignore[attr-defined]
        if name not in known:
            raise TypeError(f"{verb}() has no option {name!r}{nearest(name, known)}")


class Submitting:
    """Makes the first events of tasks."""

    def __init__(self, clock: Clock, new_id: Callable[[], UUID], max_context_bytes: int) -> None:
        self._clock = clock
        self._new_id = new_id
        self._max_context_bytes = max_context_bytes

    def created(
        self,
        workflow: WorkflowLike[C],
        contexts: Sequence[C],
        options: SubmitManyOptions,
    ) -> list[TaskCreated]:
        """The first event of each. Raises what `Engine.submit` says, ValueError for lengths."""
        template = workflow.template
        given, ids = options.get("idempotency_keys"), options.get("task_ids")
        keys = (None,) * len(contexts) if given is None else given
        if ids is None:
            ids = [self._new_id() for _ in contexts]
        ids = [task_id_of(task_id, InvalidSubmission) for task_id in ids]
        _require_each_once(template.key, ids)
        fields = _fields(template, keys, options)
        return [
            self._created(template, self._encoded(workflow, context), key, task_id, **fields)
            for context, key, task_id in zip(contexts, keys, ids, strict=True)
        ]

    def _encoded(self, workflow: WorkflowLike[C], context: C) -> Any:
        place = f"the context for {workflow.template.key}"
        encoded = workflow.encode_context(context)
        try:
            value, text = as_json(encoded)
        except ValueError as error:
            raise InvalidContext(f"{place} cannot be stored: context{error}") from error
        if len(text) > self._max_context_bytes:
            raise InvalidContext(
                f"{place} has {len(text)} bytes as JSON;"
                f" submit.max_context_bytes is {self._max_context_bytes}"
            )
        return value

    def _created(
        self, template: Template, context: Any, key: str | None, task_id: UUID, **fields: Any
    ) -> TaskCreated:
        now = self._clock.now()
        correlation_id = fields.pop("correlation_id") or str(task_id)
        deadline_at = fields.pop("deadline_at")
        if deadline_at is None and template.deadline_seconds is not None:
            deadline_at = (fields["start_at"] or now) + timedelta(seconds=template.deadline_seconds)
        return TaskCreated(
            originator_id=task_id,
            originator_version=1,
            event_id=self._new_id(),
            occurred_at=now,
            correlation_id=correlation_id,
            task_id=task_id,
            namespace=template.namespace,
            template=template.name,
            version=template.version,
            definition_hash=template.definition_hash,
            template_id=template.template_id,
            context=context,
            identity=identity_of(template, context, key),
            deadline_at=deadline_at,
            **fields,
        )


def _require_each_once(template: str, ids: Sequence[UUID]) -> None:
    first: dict[UUID, int] = {}
    for number, task_id in enumerate(ids):
        if first.setdefault(task_id, number) != number:
            raise InvalidSubmission(
                f"{template}: task_ids[{number}] is {task_id}, as task_ids[{first[task_id]}] is:"
                " give each task an id of its own"
            )


def _fields(
    template: Template, keys: Sequence[str | None], options: SubmitManyOptions
) -> dict[str, Any]:
    """What is the same of all tasks. Raises InvalidSubmission."""
    priority, actor = options.get("priority", 0), options.get("actor")
    correlation_id = options.get("correlation_id")
    for key in keys or (None,):
        texts = {"correlation_id": correlation_id, "actor": actor, "idempotency_key": key}
        check_submission(template.key, priority, options.get("on_duplicate", "return"), texts)
    start_at, deadline_at = check_times(
        template.key, options.get("start_at"), options.get("deadline_at")
    )
    tags = check_tags(template.key, options.get("tags", ()), InvalidSubmission)
    return {
        "priority": priority,
        "correlation_id": correlation_id,
        "actor": actor,
        "start_at": plain_time(start_at),
        "deadline_at": plain_time(deadline_at),
        "tags": tags or None,
    }
