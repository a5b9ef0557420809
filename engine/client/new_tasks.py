"""The first event of a task, from what an application submits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.json_values import as_json
from flowledger.engine.domain.submission import identity_of
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.errors import InvalidContext
from flowledger.engine.events.task import TaskCreated

C = TypeVar("C")


def encoded_context(workflow: WorkflowLike[C], context: C, max_bytes: int) -> Any:
    """The context as JSON. Raises InvalidContext where it is none, or too large."""
    place = f"the context for {workflow.template.key}"
    encoded = workflow.encode_context(context)
    try:
        value, text = as_json(encoded)
    except ValueError as error:
        raise InvalidContext(f"{place} cannot be stored: context{error}") from error
    if len(text) > max_bytes:
        raise InvalidContext(
            f"{place} has {len(text)} bytes as JSON; submit.max_context_bytes is {max_bytes}"
        )
    return value


def task_created(  # noqa: PLR0913 - an event has many facts
    template: Template,
    context: Any,
    key: str | None,
    *,
    task_id: UUID,
    event_id: UUID,
    now: datetime,
    correlation_id: str | None,
    start_at: datetime | None,
    deadline_at: datetime | None,
    **fields: Any,
) -> TaskCreated:
    """The event; without a deadline of its own the task has its template's, from its start.

    Raises MissingIdempotencyKey.
    """
    if deadline_at is None and template.deadline_seconds is not None:
        deadline_at = (start_at or now) + timedelta(seconds=template.deadline_seconds)
    return TaskCreated(
        originator_id=task_id,
        originator_version=1,
        event_id=event_id,
        occurred_at=now,
        correlation_id=correlation_id or str(task_id),
        task_id=task_id,
        namespace=template.namespace,
        template=template.name,
        version=template.version,
        definition_hash=template.definition_hash,
        template_id=template.template_id,
        context=context,
        identity=identity_of(template, context, key),
        start_at=start_at,
        deadline_at=deadline_at,
        **fields,
    )
