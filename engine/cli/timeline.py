"""A task's history as text: a table with every event, or a timeline indented by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from flowledger.engine.domain.event_text import (
    actor_of,
    describe,
    stream_of,
    traceback_lines,
    writer_of,
)
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.events.base import Event, Recorded, StepEvent
from flowledger.engine.events.requests import StepRequest

SHOWN_BESIDE = frozenset({"originator_id", "originator_version", "task_id", "step", "actor"})
STYLES: Mapping[str, str] = {
    "TaskCompleted": "bold green",
    "TaskFailed": "bold red",
    "TaskBlocked": "bold red",
    "TaskTimedOut": "bold red",
    "TaskCancelled": "magenta",
    "TaskResolvedManually": "magenta",
    "TaskPaused": "yellow",
    "TaskWaiting": "bright_black",
    "TaskWaitEnded": "bright_black",
    "StepEnqueued": "bright_black",
    "StepStarted": "cyan",
    "StepCompleted": "green",
    "StepAttemptFailed": "red",
    "StepTimedOut": "red",
    "StepLeaseExpired": "red",
    "StepRetryScheduled": "yellow",
    "StepReleased": "yellow",
    "StepFailed": "bold red",
    "StepCancelSignalled": "magenta",
    "StepCancelled": "magenta",
    "StepSkipped": "magenta",
    "StepReset": "magenta",
    "StepResolvedManually": "magenta",
    "StepCompletedManually": "green",
    "StepDequeued": "bright_black",
    "RequestRefused": "yellow",
}


def event_facts(recorded: Recorded) -> dict[str, Any]:
    """One event as JSON; `data` holds what has no place beside it."""
    event = recorded.event
    fields = event.model_dump(mode="json")
    step = {"step": event.step} if isinstance(event, StepEvent | StepRequest) else {}
    return {
        "position": recorded.position,
        "recorded_at": recorded.recorded_at.isoformat(),
        "type": type(event).__name__,
        "task": fields.get("task_id"),
        **step,
        "version": event.originator_version,
        "actor": event.actor,
        "writer": writer_of(event),
        "data": {key: value for key, value in fields.items() if key not in SHOWN_BESIDE},
    }


def table(history: Sequence[Recorded], *, verbose: bool = False) -> Iterator[Text]:
    """Position, time, stream, version, what happened and who wrote it, a line for each event.

    `verbose`: and where each failed attempt raised, on lines beneath.
    """
    streams = [stream_of(recorded.event) for recorded in history]
    wide = max(map(len, ["stream", *streams]))
    yield Text(f"{'position':>8}  {'time (UTC)':<23}  {'stream':<{wide}}  version  event", "bold")
    for recorded, stream in zip(history, streams, strict=True):
        at = recorded.recorded_at.replace(tzinfo=None).isoformat(" ", "milliseconds")
        version = recorded.event.originator_version
        start = f"{recorded.position:>8}  {at}  {stream:<{wide}}  {version:>7}  "
        yield Text.assemble(
            start, _said(recorded.event), (f"  [{actor_of(recorded.event)}]", "dim")
        )
        if verbose:
            yield from raised(recorded.event)


def timeline(history: Sequence[Recorded], plan: Plan, *, verbose: bool = False) -> Iterator[Text]:
    """Milliseconds since the first event, and steps indented by how deep in the DAG they are."""
    began = history[0].recorded_at
    indents = {name: "  " * depth for name, depth in depths(plan).items()}
    wide = max(len(indents[name]) + len(name) for name in indents)
    for recorded in history:
        event = recorded.event
        stream = stream_of(event)
        indent = indents.get(stream, "")
        milliseconds = (recorded.recorded_at - began).total_seconds() * 1000
        yield Text.assemble(
            (f"{milliseconds:>9.1f} ms  ", "dim"),
            (f"{indent + stream:<{wide}}  ", "bold" if stream in indents else ""),
            _said(event),
        )
        if verbose:
            yield from raised(event)


def raised(event: Event) -> Iterator[Text]:
    """The traceback of a failed attempt, to stand beneath what is said of it."""
    return (Text(f"{'':>10}| {line}", "dim") for line in traceback_lines(event))


def depths(plan: Plan) -> dict[str, int]:
    """How many steps lie on the longest way to each step, itself included."""
    found = [1] * len(plan.steps)
    waiting = [len(parents) for parents in plan.parents]
    ready = [number for number, count in enumerate(waiting) if not count]
    for number in ready:  # grows while it is walked: each step once, after all its parents
        for child in plan.children[number]:
            found[child] = max(found[child], found[number] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return {step.name: depth for step, depth in zip(plan.steps, found, strict=True)}


def _said(event: Event) -> tuple[str, str]:
    return describe(event), STYLES.get(type(event).__name__, "")
