"""Descriptions of events for people: what happened, and who says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from flowledger.engine import events as asked
from flowledger.engine import events as happened
from flowledger.engine import events as noted
from flowledger.engine.display_text import duration, moment, on_one_line, short, some_of, visible
from flowledger.engine.domain.failures.tracebacks import lines_of
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.events import engine_actions as engine
from flowledger.engine.events.base import Event, StepEvent
from flowledger.engine.events.circuit import (
    CircuitClosed,
    CircuitEvent,
    CircuitHalfOpened,
    CircuitOpened,
)
from flowledger.engine.events.registry import DECISIONS
from flowledger.engine.events.requests import ANSWERS, RequestGranted, RequestRefused, TaskRequest
from flowledger.engine.events.unreadable import UnreadableEvent

PLAIN_NAME = re.compile(r"[\w.@+-]+")
WRITERS = frozenset({"application", "coordinator", "worker", "unknown"})
BY_API = (
    happened.TaskCreated,
    happened.TemplateRegistered,
    happened.TemplatePaused,
    happened.TemplateResumed,
    TaskRequest,
    noted.TaskNote,
    engine.EngineAction,
)
"""How many names are some_of before the others are counted."""

PHRASES: Mapping[type[Event], str] = MappingProxyType(
    {
        happened.TemplateRegistered: "definition registered",
        happened.TemplatePaused: "template paused",
        happened.TemplateResumed: "template resumed",
        happened.TaskCreated: "submitted with {context}{times}",
        happened.TaskStarted: "taken on",
        happened.TaskWaiting: "waits for {time}",
        happened.TaskFailed: "failed, as these ended in error: {steps}",
        happened.TaskBlocked: "blocked, as these ended in error: {steps}",
        happened.TaskTimedOut: "had not ended by its deadline, {deadline}",
        happened.TaskWaitEnded: "goes on",
        happened.TaskCompleted: "complete",
        happened.TaskReopened: "opened again",
        happened.TaskPaused: "paused",
        happened.TaskResumed: "resumed",
        happened.TaskCancelled: "cancelled",
        happened.TaskResolvedManually: "resolved by hand",
        happened.StepEnqueued: "queued for attempt {attempt}",
        happened.StepDequeued: "taken out of the queue, since it is to wait",
        happened.StepStarted: "attempt {attempt} started",
        happened.StepCheckpointed: "got as far as {state}",
        happened.StepCompleted: "completed with {result}",
        happened.StepCompletedManually: "completed by hand with {result}",
        happened.StepAttemptFailed: "attempt {attempt} failed: {error.error_class}: "
        "{error.message}",
        happened.StepRetryScheduled: "next attempt in {time}",
        happened.StepFailed: "given up ({why}): {message}",
        happened.StepReleased: "handed back by its worker",
        happened.StepTimedOut: "attempt {attempt} ran longer than {timeout_seconds:g} s",
        happened.StepLeaseExpired: "lost: its worker went silent",
        happened.StepCancelSignalled: "told to stop",
        happened.StepCancelled: "cancelled",
        happened.StepSkipped: "skipped",
        happened.StepReset: "reset, as if it had never been tried",
        happened.StepResolvedManually: "resolved by hand",
        asked.TaskCancelRequested: "asked to cancel the task",
        asked.TaskPauseRequested: "asked to pause the task",
        asked.TaskResumeRequested: "asked to resume the task",
        asked.TaskResolveRequested: "asked to count the task as resolved",
        asked.TaskResetRequested: "asked to try the task anew",
        asked.TaskFailRequested: "asked to give the task up",
        asked.StepCancelRequested: "asked to cancel step {step}",
        asked.StepResetRequested: "asked to try step {step} anew",
        asked.StepResolveRequested: "asked to count step {step} as resolved",
        asked.StepCompleteRequested: "asked to complete step {step} with {result}",
        asked.StepSkipRequested: "asked to do without step {step}",
        asked.RequestGranted: "request granted",
        asked.RequestRefused: "request refused: {message}",
        noted.TaskAnnotated: "noted {kind}: {value}",
        noted.TaskTagged: "tagged {tags}",
        noted.TaskUntagged: "no longer tagged {tags}",
        noted.TaskRepaired: "made again from the log: {changes}",
        engine.EngineRepaired: "what is no task's made again from the log: {changes}",
        UnreadableEvent: "unreadable: {why}",
        engine.ProjectionPaused: "projection {projection} paused",
        engine.ProjectionResumed: "projection {projection} resumed",
        engine.ProjectionRebuildRequested: "projection {projection} to be built anew as {built}",
        engine.ProjectionTasksRebuildRequested: "rows of {which} in {projection} to be made anew",
        engine.ProjectionRebuildCancelled: "rebuild of projection {projection} given up",
        engine.ProjectionRemoved: "projection {projection} removed",
        engine.ProjectionParkedRetryRequested: "{parked} of projection {projection} to be retried",
        engine.ProjectionParkedDropRequested: "{parked} of projection {projection} to be dropped",
        engine.ProjectionEventSkipped: "projection {projection} skipped {position}: {failure}",
        engine.TasksParkedRetryRequested: "parked tasks to be tried again: {names}",
        engine.ShardsChanged: "{shards} shards instead of {before}",
        engine.ClockMoved: "the engine's time moved {by}, so that it is {ahead}",
        engine.RightsGranted: "rights of {role} granted",
        engine.SchemaMigrated: "schema of release {release}: {applied}",
        CircuitOpened: "circuit of {system} open for {time}, after {failures} failures in a row",
        CircuitHalfOpened: "circuit of {system} half open: a few steps try it",
        CircuitClosed: "circuit of {system} closed: it works again",
    }
)
"""What is said of each event, with its fields; its reason follows where it has one."""

STATE_LABELS: Mapping[StepState, str] = MappingProxyType(
    {
        StepState.COMPLETE: "complete",
        StepState.IN_PROGRESS: "running",
        StepState.ENQUEUED: "queued",
        StepState.WAITING_FOR_RETRY: "waiting for retry",
        StepState.PENDING: "pending",
        StepState.ERROR: "in error",
        StepState.CANCELLED: "cancelled",
        StepState.SKIPPED: "skipped",
        StepState.RESOLVED_MANUALLY: "resolved",
    }
)
"""Where a step stands, in the order in which people want to see it."""

CUT = (happened.StepAttemptFailed, happened.StepFailed)
VALUES = ("context", "state", "result", "value")
MOMENTS = ("until", "due_at")


def stream_of(event: Event) -> str:
    """The stream as people know it: a step's, system's or projection's name, or what kind it is."""
    match event:
        case StepEvent():
            return event.step
        case TaskRequest() | RequestGranted() | RequestRefused():
            return "request"
        case noted.TaskNote():
            return "note"
        case CircuitEvent():
            return event.system
        case engine.EngineEvent():
            return getattr(event, "projection", "engine")
        case _:
            unknown = isinstance(event, UnreadableEvent) and event.originator_id != event.task_id
            return f"…{str(event.originator_id)[-6:]}" if unknown else "task"


def describe(event: Event) -> str:
    """One short sentence."""
    fields = _fields(event)
    phrase = PHRASES.get(type(event), type(event).__name__)
    said = on_one_line(phrase.format_map(fields))
    if isinstance(event, RequestGranted) and event.message:
        said += f"; {on_one_line(event.message)}"
    if fields.get("reason"):
        said += f": {on_one_line(fields['reason'])}"
    return short(said) if isinstance(event, CUT) else said


def traceback_lines(event: Event) -> list[str]:
    """Where the handler raised, a line each, of what can be printed; empty where nobody knows."""
    if not isinstance(event, happened.StepAttemptFailed):
        return []
    return lines_of(event.error.traceback)


def actor_of(event: Event) -> str:
    """Who wrote the event: a person by name, else the part of the engine that writes such events.

    Only the engine is called `coordinator`, `worker …` or `application` here: a person of that
    name is told in quotation marks.
    """
    if event.actor is not None and not isinstance(event, ANSWERS):
        return actor_name(event.actor)
    writer = writer_of(event)
    return f"worker {str(event.worker)[-6:]}" if isinstance(event, happened.StepStarted) else writer


def writer_of(event: Event) -> str:
    """The part of the engine that appends such events, whoever asked for it.

    `application` is the engine's API, by which people ask and note as well.
    """
    if isinstance(event, UnreadableEvent):
        return "unknown"
    if isinstance(event, BY_API):
        return "application"
    return "coordinator" if isinstance(event, (*DECISIONS, *ANSWERS, CircuitEvent)) else "worker"


def actor_name(actor: str) -> str:
    """A person's name on one line: in quotation marks unless it is plain and not the engine's."""
    if PLAIN_NAME.fullmatch(actor) and actor.lower() not in WRITERS:
        return actor
    return visible(json.dumps(actor, ensure_ascii=False))


def clipped(value: Any) -> str:
    """A JSON value on one line, cut where it is long."""
    return short(json.dumps(value, ensure_ascii=False))


def _fields(event: Event) -> dict[str, Any]:
    """The event's fields, as sentences need them."""
    fields: dict[str, Any] = {"time": "room, or for an operator", "times": "", **event.__dict__}
    fields |= {name: clipped(fields[name]) for name in VALUES if name in fields}
    fields |= {name: told(fields) for name, told in LISTED.items() if fields.get(name)}
    for name in MOMENTS:
        if fields.get(name) is not None:
            fields["time"] = duration(fields[name] - event.occurred_at)
    match event:
        case happened.StepFailed():
            fields["why"] = fields.pop("reason").replace("_", " ")
        case happened.TaskFailed() | happened.TaskBlocked():
            fields["steps"] = ", ".join(event.failed_steps)
        case happened.TaskTimedOut():
            fields["deadline"] = moment(event.deadline_at)
        case happened.TaskCreated():
            fields["times"] = _times(event)
        case _:
            fields |= _of_engine(event)
    return fields


def _changes(fields: Mapping[str, Any]) -> str:
    """The first difference that was mended, and how many more there were."""
    first, *others = fields["changes"]
    more = len(others) + fields["more"]
    return f"{short(first)}{f' and {more} more' if more else ''}"


LISTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {"tags": lambda fields: ", ".join(fields["tags"]), "changes": _changes}
)


def _of_engine(event: Event) -> dict[str, Any]:
    return _of_projection(event) if isinstance(event, engine.ProjectionAction) else _of_rest(event)


def _of_projection(event: engine.ProjectionAction) -> dict[str, Any]:
    match event:
        case engine.ProjectionRebuildRequested():
            return {"built": f"generation {event.generation}"}
        case engine.ProjectionTasksRebuildRequested():
            whole = f"the tasks of {event.template}"
            return {"which": whole if event.task is None else f"task {event.task}"}
        case engine.ProjectionEventsAction():
            events = "parked event" if event.events == 1 else "parked events"
            return {"parked": f"{event.events} {events}"}
        case _:
            return {}


def _of_rest(event: Event) -> dict[str, Any]:
    match event:
        case engine.TasksParkedRetryRequested():
            return {"names": some_of(map(str, event.tasks))}
        case engine.ClockMoved():
            return {
                "by": _signed(event.by_seconds, "forward by {}", "back by {}"),
                "ahead": _signed(event.ahead_seconds, "{} ahead", "{} behind") or "the server's",
            }
        case engine.SchemaMigrated():
            return {"applied": some_of(event.files)}
        case _:
            return {}


def _signed(seconds: float, positive: str, negative: str) -> str:
    """A duration in one of two sentences, by its sign; nothing where it is none."""
    said = positive if seconds > 0 else negative
    return said.format(duration(timedelta(seconds=seconds))) if seconds else ""


def _times(event: happened.TaskCreated) -> str:
    start = f", to start at {moment(event.start_at)}" if event.start_at else ""
    return f"{start}, to end by {moment(event.deadline_at)}" if event.deadline_at else start
