"""Verifies rows that belong to no task: templates, circuits, and how many shards there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flowledger.engine.domain.limits.circuit_breaker import (
    Circuit,
    CircuitState,
    circuit_id,
    evolve_circuit,
)
from flowledger.engine.domain.templates.compiled_template import compile_plan, levels_of
from flowledger.engine.domain.templates.template import UNLIMITED, Template, parse_template
from flowledger.engine.domain.verify.log import EVENT, LOG, LogEntry, contiguous
from flowledger.engine.domain.verify.queue_timer_and_slot_rows import compared
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference, Row
from flowledger.engine.domain.verify.shard_positions import SHARDS
from flowledger.engine.errors import IllegalTransition, InvalidTemplate
from flowledger.engine.events.base import Event
from flowledger.engine.events.circuit import CircuitEvent
from flowledger.engine.events.engine_actions import EngineEvent
from flowledger.engine.events.template import TemplatePaused, TemplateRegistered, TemplateResumed

CIRCUITS = "flowledger.circuit"
STEPS = "flowledger.template_step"
TEMPLATES = "flowledger.template"
PACES = (TemplatePaused, TemplateResumed)


@dataclass(frozen=True, slots=True)
class OtherStreams:
    """Streams that are no task's, with the rows that belong to them, in one snapshot."""

    streams: Mapping[UUID, Sequence[LogEntry]]
    templates: Mapping[UUID, Row]
    template_steps: Mapping[UUID, Sequence[Row]]
    circuits: Mapping[UUID, Circuit]

    def alone(self, stream: UUID) -> OtherStreams:
        """The same of one stream."""
        return replace(self, streams={stream: self.streams[stream]})


def verify_apart(apart: OtherStreams) -> Iterator[Difference]:
    """Every difference."""
    for stream, log in apart.streams.items():
        entries = sorted(log, key=lambda entry: entry.position)
        row, circuit = apart.templates.get(stream), apart.circuits.get(stream)
        if not entries:
            if circuit is not None:
                yield from _circuit(circuit.system, [], circuit)
            continue
        event = entries[0].event
        if row is not None or isinstance(event, (TemplateRegistered, *PACES)):
            subject = f"template {stream}"
            steps = apart.template_steps.get(stream, ())
            yield from _unfit(subject, entries) or _template(subject, stream, entries, row, steps)
        elif circuit is not None or isinstance(event, CircuitEvent):
            system = circuit.system if circuit else getattr(event, "system", "")
            found = _unfit(f"circuit {system!r}", entries)
            yield from found or _circuit(system, entries, circuit)
        elif isinstance(event, EngineEvent):
            yield from _unfit(f"stream {stream}", entries) or _of_engine(stream, entries)
        else:
            yield _stranger(stream, entries)


def missing_rows(shards: Iterable[int]) -> list[Difference]:
    """What is said of shards whose rows are gone."""
    return [
        Difference(f"shard {n}", "row", "a row", "none", SHARDS, "the number of shards")
        for n in shards
    ]


def _unfit(subject: str, entries: Sequence[LogEntry]) -> list[Difference]:
    found = [
        Difference(
            f"{subject}, position {e.position}", "payload", "readable", f"not ({e.fault})", EVENT
        )
        for e in entries
        if e.event is None
    ]
    return [*found, *contiguous(subject, [entry.version for entry in entries])]


def _stranger(stream: UUID, entries: Sequence[LogEntry]) -> Difference:
    task_id = entries[0].task_id
    whose = f"task {task_id}" if task_id else "nobody"
    known = "no task that is known"
    return Difference(f"stream {stream}", "owner", known, whose, LOG, "its id", task_id)


def _of_engine(stream: UUID, entries: Sequence[LogEntry]) -> Iterator[Difference]:
    """Each of these events is a stream by itself, and no task's."""
    subject = f"stream {stream}"
    for entry in entries[1:]:
        yield Difference(subject, f"version {entry.version}", "none", "stored", LOG, "the rule")
    if entries[0].task_id is not None:
        yield Difference(subject, "task_id", None, entries[0].task_id, EVENT, "its kind")


def _template(
    subject: str, stream: UUID, entries: Iterable[LogEntry], row: Row | None, steps: Sequence[Row]
) -> Iterator[Difference]:
    first, *others = (entry.event for entry in entries)
    if not isinstance(first, TemplateRegistered):
        yield Difference(subject, "first event", "TemplateRegistered", type(first).__name__, LOG)
        return
    try:
        template = parse_template(first.definition, "the definition", UNLIMITED)
    except InvalidTemplate as error:
        yield Difference(subject, "definition", "valid", f"not ({error})", EVENT, "the rules")
        return
    derived = (template.template_id, template.definition_hash, template.key)
    said = (stream, first.definition_hash, f"{first.namespace}/{first.template}@{first.version}")
    if derived != said:  # then nothing says what the rows should be
        for field, log, own in zip(("id", "definition_hash", "key"), derived, said, strict=True):
            if log != own:
                yield Difference(subject, field, log, own, EVENT, "the definition")
        return
    yield from compared(subject, template_row(first, others), row, TEMPLATES)
    yield from _template_steps(subject, template, steps)


def template_row(first: TemplateRegistered, others: Iterable[Event | None]) -> Row:
    """The row of a template by its events."""
    paces = [isinstance(event, TemplatePaused) for event in others if isinstance(event, PACES)]
    return {
        "namespace": first.namespace,
        "name": first.template,
        "version": first.version,
        "definition_hash": first.definition_hash,
        "definition": first.definition,
        "paused": paces[-1] if paces else False,
    }


def _template_steps(subject: str, template: Template, rows: Sequence[Row]) -> Iterator[Difference]:
    plan = compile_plan(template)
    levels = levels_of(plan)
    stored = {row["number"]: row for row in rows}
    for number in sorted({*range(len(plan.steps)), *stored}):
        log: Row | None = None
        if 0 <= number < len(plan.steps):
            step = plan.steps[number]
            log = {
                "step": step.name,
                "parents": sorted(plan.parents[number]),
                "children": sorted(plan.children[number]),
                "max_attempts": step.retry.max_attempts,
                "system": step.system,
                "level": levels[number],
                "backoff": step.retry.backoff,
                "dependencies": [plan.steps[one].name for one in sorted(plan.parents[number])],
                "blocking_dependencies": [
                    plan.steps[one].name
                    for one in sorted(plan.parents[number])
                    if plan.steps[one].when_skipped == "stop"
                ],
            }
        yield from compared(f"{subject}, step {number}", log, stored.get(number), STEPS)


def _circuit(
    system: str, entries: Iterable[LogEntry], stored: Circuit | None
) -> Iterator[Difference]:
    """Probes are kept beside the log, and while it is closed failures in a row are too."""
    subject = f"circuit {system!r}"
    folded = folded_circuit(system, entries)
    if isinstance(folded, Difference):
        yield folded
        return
    yield from compared(subject, _circuit_row(folded), stored and _circuit_row(stored), CIRCUITS)


def folded_circuit(system: str, entries: Iterable[LogEntry]) -> Circuit | Difference:
    """The circuit by its events, or why there is none."""
    folded = Circuit(system)
    subject = f"circuit {system!r}"
    for entry in entries:
        if not isinstance(entry.event, CircuitEvent):
            name = type(entry.event).__name__
            return Difference(subject, f"position {entry.position}", "a circuit's", name, LOG)
        try:
            folded = evolve_circuit(folded, entry.event)
        except IllegalTransition as error:
            name = type(entry.event).__name__
            rule = f"the life cycle ({error})"
            return Difference(subject, f"position {entry.position}", "impossible", name, LOG, rule)
    return folded


def _circuit_row(circuit: Circuit) -> Row:
    kept: dict[str, Any] = circuit._asdict()
    del kept["probes"]
    if circuit.state is CircuitState.CLOSED:
        del kept["failures"]
    return kept


def streams_of(circuits: Iterable[Circuit]) -> dict[UUID, Circuit]:
    """Circuits by the streams of their transitions."""
    return {circuit_id(circuit.system): circuit for circuit in circuits}
