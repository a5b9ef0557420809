"""The read model `flowledger_audit`: who did what to which task, why, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import LiteralString
from uuid import UUID

from flowledger.engine.domain.event_text import describe
from flowledger.engine.events.base import Event, Recorded
from flowledger.engine.events.engine_actions import (
    ENGINE_ACTIONS,
    ClockMoved,
    EngineAction,
    EngineRepaired,
    ProjectionAction,
    ProjectionEventSkipped,
    ProjectionParkedDropRequested,
    ProjectionParkedRetryRequested,
    ProjectionPaused,
    ProjectionRebuildCancelled,
    ProjectionRebuildRequested,
    ProjectionRemoved,
    ProjectionResumed,
    ProjectionTasksRebuildRequested,
    RightsGranted,
    SchemaMigrated,
    ShardsChanged,
    TasksParkedRetryRequested,
)
from flowledger.engine.events.notes import (
    NOTES,
    TaskAnnotated,
    TaskNote,
    TaskRepaired,
    TaskTagged,
    TaskUntagged,
)
from flowledger.engine.events.requests import (
    ANSWERS,
    REQUESTS,
    RequestGranted,
    RequestRefused,
    StepRequest,
    TaskRequest,
)
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateRegistered, TemplateResumed
from flowledger.projections.builtin.rows_touched_by_batch import Row, fetch_rows, store, tables_of
from flowledger.projections.projection import Projection, on_batch
from flowledger.projections.restricted_cursor import Cursor

ACTIONS: Mapping[type[Event], str] = MappingProxyType(
    {
        TaskCreated: "task.submit",
        TaskAnnotated: "task.annotate",
        TaskTagged: "task.tag",
        TaskUntagged: "task.untag",
        TaskRepaired: "task.repair",
        EngineRepaired: "engine.repair",
        TemplatePaused: "template.pause",
        TemplateResumed: "template.resume",
        ProjectionPaused: "projection.pause",
        ProjectionResumed: "projection.resume",
        ProjectionRebuildRequested: "projection.rebuild",
        ProjectionTasksRebuildRequested: "projection.rebuild_tasks",
        ProjectionRebuildCancelled: "projection.cancel_rebuild",
        ProjectionRemoved: "projection.remove",
        ProjectionParkedRetryRequested: "projection.retry_parked",
        ProjectionParkedDropRequested: "projection.drop_parked",
        ProjectionEventSkipped: "projection.skip",
        TasksParkedRetryRequested: "tasks.retry_parked",
        ShardsChanged: "shards.change",
        ClockMoved: "clock.move",
        RightsGranted: "rights.grant",
        SchemaMigrated: "schema.migrate",
        **{kind: kind.topic.removesuffix("_requested") for kind in REQUESTS},
    }
)
"""What was done, by the event that says so."""

TEMPLATES: LiteralString = "select * from known_template where template_id = any(%s)"
STORE_TEMPLATES: LiteralString = """
    insert into known_template
    select * from json_populate_recordset(null::known_template, %s)
    on conflict do nothing
"""
STORE_ACTIONS: LiteralString = """
    insert into operator_action select * from json_populate_recordset(null::operator_action, %s)
"""
STORE_ANSWERS: LiteralString = """
    update operator_action as a
    set answer = r.answer, answered_at = r.answered_at, refusal = r.refusal
    from json_populate_recordset(null::operator_action, %s) as r
    where a.request = r.request
"""


class Audit(Projection):
    """A row in `operator_action` for everything that somebody did, with the answer to it.

    That is to tasks, templates, and the engine itself. A task's submission is among them where its
    actor is known.
    """

    name, builtin = "flowledger_audit", True
    version, tables = tables_of("audit")

    @on_batch(
        TaskCreated,
        *REQUESTS,
        *ANSWERS,
        *NOTES,
        TemplateRegistered,
        TemplatePaused,
        TemplateResumed,
        *ENGINE_ACTIONS,
    )
    def done(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        """Note what was done, and what was answered to what had been asked."""
        templates = _templates(events, cursor)
        actions: list[Row] = []
        answers: list[Row] = []
        for recorded in events:
            event = recorded.event
            if isinstance(event, RequestGranted | RequestRefused):
                answers.append(_answer(event))
            elif type(event) in ACTIONS and event.actor is not None:
                actions.append(_action(recorded.position, event, templates))
        store(cursor, STORE_ACTIONS, actions)
        store(cursor, STORE_ANSWERS, answers)

    def forget(self, tasks: Sequence[UUID], cursor: Cursor) -> None:
        """Delete the rows of these tasks."""
        cursor.execute("delete from operator_action where task_id = any(%s)", (list(tasks),))


def _action(position: int, event: Event, templates: Mapping[UUID, Row]) -> Row:
    template = templates.get(event.originator_id, {})
    known: Row = {name: template.get(name) for name in ("namespace", "template", "version")}
    row: Row = {
        **known,
        "position": position,
        "at": event.occurred_at,
        "action": ACTIONS[type(event)],
        "actor": event.actor,
    }
    match event:
        case TaskCreated():
            return row | _of_task(event) | {"version": event.version}
        case TaskRequest():
            asked = {"reason": event.reason, "request": event.originator_id}
            step = {"step": event.step} if isinstance(event, StepRequest) else {}
            return row | _of_task(event) | asked | step
        case TaskNote():
            return row | _of_task(event) | {"reason": event.reason}
        case TemplatePaused() | TemplateResumed():
            return row | {"reason": event.reason}
        case EngineAction():
            return row | {"reason": event.reason} | _of_engine(event)
        case _:
            return row


def _of_engine(event: EngineAction) -> Row:
    """What it was done to: a projection by its name, and the template of the rows.

    A task of theirs is not named: what was done to the engine is not forgotten with a task.
    """
    if not isinstance(event, ProjectionAction):
        return {"subject": describe(event)}
    row: Row = {"subject": event.projection}
    if isinstance(event, ProjectionTasksRebuildRequested) and event.template is not None:
        row["namespace"], _, named = event.template.partition("/")
        row["template"], _, row["version"] = named.partition("@")
    return row


def _of_task(event: TaskCreated | TaskRequest | TaskNote) -> Row:
    named = {"namespace": event.namespace, "template": event.template}
    return {"task_id": event.task_id, **named}


def _answer(event: RequestGranted | RequestRefused) -> Row:
    refusal = event.message if isinstance(event, RequestRefused) else None
    return {
        "request": event.request,
        "answer": "granted" if refusal is None else "refused",
        "answered_at": event.occurred_at,
        "refusal": refusal,
    }


def _templates(events: Sequence[Recorded], cursor: Cursor) -> dict[UUID, Row]:
    """The templates that the events are about, by their streams; new ones are stored."""
    new = {
        event.originator_id: {
            "template_id": event.originator_id,
            "namespace": event.namespace,
            "template": event.template,
            "version": event.version,
        }
        for recorded in events
        if isinstance(event := recorded.event, TemplateRegistered)
    }
    store(cursor, STORE_TEMPLATES, new.values())
    asked = {
        recorded.event.originator_id
        for recorded in events
        if isinstance(recorded.event, TemplatePaused | TemplateResumed)
    }
    missing = list(asked - new.keys())
    if not missing:
        return new
    return new | {row["template_id"]: row for row in fetch_rows(cursor, TEMPLATES, (missing,))}
