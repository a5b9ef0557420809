"""The read model `flowledger_notes`: what people noted of tasks, and the tags that tasks have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.events.base import Recorded
from flowledger.engine.events.notes import TaskAnnotated, TaskTagged, TaskUntagged
from flowledger.engine.events.task import TaskCreated
from flowledger.projections.builtin.rows_touched_by_batch import Row, store, tables_of
from flowledger.projections.projection import Projection, on_batch
from flowledger.projections.restricted_cursor import Cursor

ANNOTATE: LiteralString = """
    insert into annotation select * from json_populate_recordset(null::annotation, %s)
"""
TAG: LiteralString = """
    insert into tag select * from json_populate_recordset(null::tag, %s)
    on conflict (task_id, tag) do nothing
"""
UNTAG: LiteralString = """
    delete from tag as t
    using unnest(%s::uuid[], %s::text[]) as k (task_id, tag)
    where t.task_id = k.task_id and t.tag = k.tag
"""

Tagging = TaskCreated | TaskTagged


class Notes(Projection):
    """A row in `annotation` for each annotation, and one in `tag` for each tag that a task has."""

    name, builtin = "flowledger_notes", True
    version, tables = tables_of("notes")

    @on_batch(TaskCreated, TaskAnnotated, TaskTagged, TaskUntagged)
    def noted(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        """Add the annotations; give tags, and take them away."""
        annotated = [_annotation(one.position, event) for one, event in _annotations(events)]
        store(cursor, ANNOTATE, annotated)
        taken, given = _tags(events)
        if taken:
            tasks, tags = zip(*taken, strict=True)
            cursor.execute(UNTAG, (list(tasks), list(tags)))
        store(cursor, TAG, given.values())

    def forget(self, tasks: Sequence[UUID], cursor: Cursor) -> None:
        """Delete the rows of these tasks."""
        cursor.execute("delete from annotation where task_id = any(%s)", (list(tasks),))
        cursor.execute("delete from tag where task_id = any(%s)", (list(tasks),))


def _annotations(events: Sequence[Recorded]) -> list[tuple[Recorded, TaskAnnotated]]:
    return [(one, one.event) for one in events if isinstance(one.event, TaskAnnotated)]


def _annotation(position: int, event: TaskAnnotated) -> Row:
    return {
        "position": position,
        "task_id": event.task_id,
        "namespace": event.namespace,
        "template": event.template,
        "kind": event.kind,
        "value": storable(event.value),
        "actor": event.actor,
        "reason": event.reason,
        "at": event.occurred_at,
    }


def _tags(
    events: Sequence[Recorded],
) -> tuple[list[tuple[UUID, str]], dict[tuple[UUID, str], Row]]:
    """The tags that were taken away since the batch began, and those that were given after that."""
    taken: dict[tuple[UUID, str], None] = {}
    given: dict[tuple[UUID, str], Row] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, TaskUntagged):
            for tag in event.tags:
                taken[event.task_id, tag] = None
                given.pop((event.task_id, tag), None)
        elif isinstance(event, Tagging):
            for tag in event.tags or ():
                given.setdefault((event.task_id, tag), _tag(tag, event))
    return list(taken), given


def _tag(tag: str, event: Tagging) -> Row:
    return {
        "task_id": event.task_id,
        "tag": tag,
        "namespace": event.namespace,
        "template": event.template,
        "actor": event.actor,
        "at": event.occurred_at,
    }


def storable(value: JsonValue) -> JsonValue:
    """The JSON value as `jsonb` can hold it: without null characters."""
    match value:
        case str():
            return _text(value)
        case list():
            return [storable(one) for one in value]
        case dict():
            return {_text(key): storable(one) for key, one in value.items()}
        case _:
            return value


def _text(value: str) -> str:
    return value.replace("\0", "\ufffd")
