"""What the tests of limits share: the log told as who was queued or ran when, and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from flowledger.engine import Engine
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events.base import Event, Recorded, StepEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepCompleted,
    StepDequeued,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepReleased,
    StepSkipped,
    StepTimedOut,
)
from support.builders import NOON
from support.engines import EngineHarness
from support.sql_calls import new_id, rows_of

LEAVES = (
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepAttemptFailed,
    StepReleased,
    StepLeaseExpired,
    StepSkipped,
    StepTimedOut,
    StepDequeued,
)
"""After these a step is not queued any more and does not run."""

Keys = Callable[[StepEvent], Sequence[str]]
"""The limits that a step has."""

PROBE = new_id()
OPEN: dict[str, Any] = {
    "state": "open",
    "failures": 0,
    "openings": 1,
    "open_until": NOON,
    "probes": [PROBE],
    "stream_version": 1,
}
"""A circuit that is open."""

NO_DEMAND: dict[str, Any] = {"template_id": str(PROBE), "system": None, "slots": [], "rates": []}
"""The demand of a step without limits."""


def log_of(engine: Engine, tasks: Iterable[UUID]) -> list[Event]:
    """Every event of the tasks, in the order of the log."""
    found: list[Recorded] = [one for task in tasks for one in engine.task(task).history()]
    return [one.event for one in sorted(found, key=lambda one: one.position)]


def in_use(log: Iterable[Event], keys: Keys) -> Iterator[Counter[str]]:
    """After each event of a step, how many slots of each limit are in use."""
    held: dict[UUID, Sequence[str]] = {}
    for event in log:
        if isinstance(event, StepEnqueued):
            held[event.originator_id] = keys(event)
        elif isinstance(event, LEAVES):
            held.pop(event.originator_id, None)
        if isinstance(event, StepEvent):
            yield Counter(key for its in held.values() for key in its)


def most_in_use(log: Iterable[Event], keys: Keys) -> Counter[str]:
    """The most slots of each limit that were ever in use."""
    most: Counter[str] = Counter()
    for counts in in_use(log, keys):
        most |= counts
    return most


def last_in_use(log: Iterable[Event], keys: Keys) -> Counter[str]:
    """The slots of each limit that are in use in the end."""
    last: Counter[str] = Counter()
    for counts in in_use(log, keys):
        last = counts
    return last


def slot_rows(harness: EngineHarness) -> Counter[str]:
    """The slots in use, by their holders."""
    return Counter(key for (key,) in harness.rows("select limit_key from flowledger.slot"))


def slot_counts(harness: EngineHarness) -> Counter[str]:
    """The slots in use, as they are counted."""
    return Counter(dict(harness.rows("select limit_key, in_use from flowledger.slot_count")))


def waiting_steps(harness: EngineHarness) -> list[tuple[str, str, str]]:
    """Steps that wait, with the kind and the key of what held them."""
    return harness.rows(
        "select step, kind, limit_key from flowledger.waiting_step order by sort_key, step"
    )


def circuit(revision: int, system: str = "bank", **changed: Any) -> str:
    """Rows of one circuit, decided on at that revision; with no field, only relied on."""
    return rows_of([{"system": system, "revision": revision, **changed}])


def waiting_row(task: UUID, name: str = "a", **changed: Any) -> dict[str, Any]:
    """A row of the held steps."""
    row: dict[str, Any] = {
        "step_id": step_id(task, name),
        "task_id": task,
        "step": name,
        "kind": "slot",
        "limit_key": "k",
        "sort_key": 0.0,
        "since": NOON,
        "until": None,
        "demand": {"template_id": task, "system": None, "slots": [["k", 1]], "rates": []},
    }
    return {**row, **changed}
