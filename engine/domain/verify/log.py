"""Verifies the log of one task: complete, readable, all of it the task's own, and consistent.

An event says more than a fold needs: whose it is, which attempt it is of, what caused it. All of
that follows from the events around it, so an event that was changed, moved, added or removed no
longer fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import caused_id, milliseconds, step_id
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.domain.verify.decisions_match_causes import against_its_cause
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.base import Event, Placed, StepEvent, TaskEvent
from flowledger.engine.events.registry import DECISIONS
from flowledger.engine.events.requests import RequestGranted, RequestRefused, TaskRequest
from flowledger.engine.events.step import StepEnqueued, StepStarted
from flowledger.engine.events.task import TaskCreated

LOG = "the log"
EVENT = "the event"
REST = "the rest of the log"
MOST_MISSING = 5
DECIDED = frozenset(DECISIONS)
OWN_STREAMS = (TaskRequest, RequestGranted, RequestRefused)
STARTS = (StepEnqueued, StepStarted)
"""Events that name the attempt to come."""


class LogEntry(NamedTuple):
    """A place in the log: an event, or None where it cannot be read, and then why."""

    position: int
    stream: UUID
    version: int
    task_id: UUID | None
    event: Event | None
    fault: str = ""


def own_entries(
    task_id: UUID, log: Iterable[LogEntry], steps: Mapping[UUID, str]
) -> list[LogEntry]:
    """Those of the entries that are in the task's streams, in log order.

    Other tasks may share the range. A stream is the task's where it has the task's id or one of
    `steps`, or where any event in it says so.
    """
    entries = sorted(log, key=lambda entry: entry.position)
    said = {entry.stream for entry in entries if entry.task_id == task_id}
    return [
        entry
        for entry in entries
        if entry.stream == task_id or entry.stream in steps or entry.stream in said
    ]


def whole(
    task_id: UUID, entries: Sequence[LogEntry], steps: Mapping[UUID, str]
) -> list[Difference]:
    """What keeps the task's streams from being read from end to end."""
    found = [difference for entry in entries for difference in _unfit(entry, task_id, steps)]
    streams: defaultdict[UUID, list[LogEntry]] = defaultdict(list)
    for entry in entries:
        streams[entry.stream].append(entry)
    for its in streams.values():
        found += contiguous(stream_name(its, steps), [entry.version for entry in its])
    return found


def contiguous(subject: str, versions: Sequence[int]) -> Iterator[Difference]:
    """A stream has the versions from 1 on, without a hole, in log order."""
    known, rule = set(versions), "the rule for streams"
    for version in sorted(version for version in known if version < 1):
        yield Difference(subject, f"version {version}", "none", "stored", LOG, rule)
    # Not all up to the last one: whoever may append may have given it any number.
    gaps = (version for version in range(1, max(known) + 1) if version not in known)
    missing = list(islice(gaps, MOST_MISSING))
    for version in missing:
        yield Difference(
            subject, f"version {version}", "needed", "missing", LOG, "the versions behind it"
        )
    if not missing and list(versions) != sorted(versions):
        listed = ", ".join(map(str, versions))
        yield Difference(subject, "order", "ascending", listed, LOG, rule)


def stream_name(entries: Sequence[LogEntry], steps: Mapping[UUID, str]) -> str:
    """A stream of a task in words."""
    stream = entries[0].stream
    if stream in steps:
        return f"step {steps[stream]!r}"
    return "task" if entries[0].task_id == stream else f"stream {stream}"


class CheckedFold:
    """The task as far as it was folded, with every event held against what stood before it.

    `queued` and `starts` have, by step, the last event of the kind.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.run: TaskRun | None = None
        self.queued: dict[str, StepEnqueued] = {}
        self.starts: dict[str, StepStarted] = {}
        self._known: dict[UUID, TaskEvent] = {}

    def take(self, history: Iterable[Placed[TaskEvent]]) -> list[Difference]:
        """Fold the events in, up to one that contradicts what stood before it: then says what."""
        for position, event in history:
            found = [
                Difference(f"position {position}", *fault)
                for fault in [*self._misplaced(event)] or self._strange(event)
            ]
            if not found:
                found = self._apply(position, event)
            if found:
                return found
        return []

    def _apply(self, position: int, event: TaskEvent) -> list[Difference]:
        try:
            if self.run is None and isinstance(event, TaskCreated):
                self.run = TaskRun(event, self.plan)
            elif self.run is not None:
                self.run.apply(event)
        except IllegalTransition as error:
            rule = f"the life cycle ({error})"
            name = type(event).__name__
            return [Difference(f"position {position}", name, "impossible", "stored", LOG, rule)]
        self._known[event.event_id] = event
        if isinstance(event, StepEnqueued):
            self.queued[event.step] = event
        elif isinstance(event, StepStarted):
            self.starts[event.step] = event
        return []

    def _misplaced(self, event: TaskEvent) -> Iterator[tuple[Any, ...]]:
        """Events whose stream is not theirs; nothing else can be asked of them."""
        if isinstance(event, StepEvent):
            if event.step not in self.plan.numbers:
                yield "step", "one of the template's", repr(event.step), EVENT, "the template"
                return
            expected = step_id(event.task_id, event.step)
        elif isinstance(event, OWN_STREAMS):
            expected = getattr(event, "request", event.originator_id)
        else:
            expected = event.task_id
        if event.originator_id != expected:
            yield "stream", expected, event.originator_id, LOG, "what it says of itself"
        if self.run is None and not isinstance(event, TaskCreated):
            yield "first event", "TaskCreated", type(event).__name__, LOG, "the life cycle"

    def _strange(self, event: TaskEvent) -> Iterator[tuple[Any, ...]]:
        """What an event says that does not follow from those before it."""
        template, run = self.plan.template, self.run
        expected: dict[str, Any] = {"namespace": template.namespace, "template": template.name}
        if isinstance(event, TaskCreated):
            expected["version"] = template.version
            expected["definition_hash"] = template.definition_hash
        elif run is not None:
            expected["correlation_id"] = run.correlation_id
            if isinstance(event, StepEvent) and event.step in self.plan.numbers:
                expected["attempt"] = run.step(event.step).attempt + isinstance(event, STARTS)
        if type(event) in DECIDED and event.causation_id is not None:
            time = milliseconds(event.occurred_at)
            stream, version = event.originator_id, event.originator_version
            expected["event_id"] = caused_id(event.causation_id, stream, version, time)
        for field, value in expected.items():
            if getattr(event, field) != value:
                yield field, value, getattr(event, field), EVENT, REST
        if type(event) in DECIDED and run is not None:
            for field, said, found in against_its_cause(event, self._known, run):
                yield field, said, found, EVENT, REST


def _unfit(entry: LogEntry, task_id: UUID, steps: Mapping[UUID, str]) -> Iterator[Difference]:
    if entry.task_id == task_id and entry.event is not None:
        return
    name = stream_name([entry], steps)
    subject = f"position {entry.position}, version {entry.version} of {name}"
    if entry.task_id != task_id:
        yield Difference(subject, "task_id", task_id, entry.task_id, EVENT, "its stream")
    if entry.event is None:
        yield Difference(subject, "payload", "readable", f"not ({entry.fault})", EVENT, "its topic")
