"""The read model `flowledger_history`: each task, and each attempt at a step, with its times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from flowledger.engine.domain.event import Event, StepEvent, TaskEvent
from flowledger.engine.domain.events import (
    StepCancelled,
    StepCompleted,
    StepCompletedManually,
    StepEnqueued,
    StepErrored,
    StepFailed,
    StepHandedBack,
    StepLeaseExpired,
    StepReset,
    StepResolvedManually,
    StepSkipped,
    StepStarted,
    StepTimedOut,
    StepWithdrawn,
    TaskCreated,
    TaskStarted,
)
from flowledger.engine.domain.states import TASK_ENDS, TASK_TRANSITIONS, TaskState
from flowledger.engine.ports import Recorded
from flowledger.engine.store.arrays import TextArray, UuidArray
from flowledger.projections.builtin.rows import Row, found, store
from flowledger.projections.builtin.tables import tables_of
from flowledger.projections.cursor import Cursor
from flowledger.projections.projection import Projection, on_batch

OUTCOMES: Mapping[type[Event], str] = MappingProxyType(
    {
        StepCompleted: "completed",
        StepFailed: "failed",
        StepTimedOut: "timed_out",
        StepLeaseExpired: "lease_expired",
        StepHandedBack: "handed_back",
        StepWithdrawn: "withdrawn",
        StepErrored: "errored",
        StepCancelled: "cancelled",
        StepSkipped: "skipped",
        StepReset: "reset",
        StepResolvedManually: "resolved_manually",
        StepCompletedManually: "completed_manually",
    }
)
"""What ends an attempt, or is said of a step that is not being tried."""

_TARGETS = {
    kind: {target for (_, some), target in TASK_TRANSITIONS.items() if some is kind}
    for _, kind in TASK_TRANSITIONS
}
STATES: Mapping[type[Event], TaskState] = MappingProxyType(
    {kind: min(targets) for kind, targets in _TARGETS.items() if len(targets) == 1}
)
"""The state in which an event leaves a task; pausing and resuming leave it in its own."""

TASKS = "select * from task_history where task_id = any(%s)"
ATTEMPTS = """
    select a.*
    from unnest(%s::uuid[], %s::text[]) as k (task_id, step)
    join attempt as a on a.task_id = k.task_id and a.step = k.step and a.ended_at is null
    order by a.opened
"""
STORE_TASKS = """
    insert into task_history
    select * from json_populate_recordset(null::task_history, %s)
    on conflict (task_id) do update
    set state = excluded.state, started_at = excluded.started_at, ended_at = excluded.ended_at
"""
STORE_ATTEMPTS = """
    insert into attempt
    select * from json_populate_recordset(null::attempt, %s)
    on conflict (task_id, opened) do update
    set attempt = excluded.attempt, started_at = excluded.started_at, worker = excluded.worker,
        ended_at = excluded.ended_at, outcome = excluded.outcome,
        error_class = excluded.error_class, error_message = excluded.error_message,
        category = excluded.category
"""
NO_ERROR = MappingProxyType({"error_class": None, "error_message": None, "category": None})


class History(Projection):
    """A row for each task in `task_history`, and one for each attempt in `attempt`.

    Times are those at which things happened by their events. Attempts that have not ended have no
    `outcome`; what was decided of a step that was not being tried is a row that was never enqueued.
    """

    name, builtin = "flowledger_history", True
    version, tables = tables_of("history")

    @on_batch(*STATES, StepEnqueued, StepStarted, *OUTCOMES)
    def happened(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        """Fold the events into the rows of their tasks and steps."""
        lives = Lives(events, cursor)
        for recorded in events:
            if isinstance(recorded.event, StepEvent):
                lives.of_step(recorded.position, recorded.event)
            elif isinstance(recorded.event, TaskEvent):
                lives.of_task(recorded.event)
        store(cursor, STORE_TASKS, lives.changed_tasks.values())
        attempts = lives.changed_attempts
        store(cursor, STORE_ATTEMPTS, [attempts[place] for place in sorted(attempts)])

    def forget(self, tasks: Sequence[UUID], cursor: Cursor) -> None:
        """Delete the rows of these tasks."""
        cursor.execute("delete from attempt where task_id = any(%s)", (list(tasks),))
        cursor.execute("delete from task_history where task_id = any(%s)", (list(tasks),))


class Lives:
    """The rows that a batch of events concerns, as far as it was folded."""

    def __init__(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        self.changed_tasks: dict[UUID, Row] = {}
        self.changed_attempts: dict[int, Row] = {}
        self._tasks = _tasks(events, cursor)
        self._open = _attempts(events, cursor)

    def of_task(self, event: TaskEvent) -> None:
        """What the event says of its task."""
        if isinstance(event, TaskCreated):
            self._tasks[event.task_id] = _task(event)
        task = self._tasks.get(event.task_id)
        if task is None:
            return  # its beginning was dropped by an operator
        state = STATES[type(event)]
        task["state"] = state
        task["ended_at"] = event.occurred_at if state in TASK_ENDS else None
        if isinstance(event, TaskStarted):
            task["started_at"] = event.occurred_at
        self.changed_tasks[event.task_id] = task

    def of_step(self, position: int, event: StepEvent) -> None:
        """What the event says of an attempt."""
        key = event.task_id, event.step
        attempt = None if isinstance(event, StepEnqueued) else self._open.get(key)
        if attempt is None:
            attempt = self._open[key] = self._attempt(position, event)
        self.changed_attempts[attempt["opened"]] = attempt
        if isinstance(event, StepEnqueued):
            attempt["enqueued_at"] = event.occurred_at
        elif isinstance(event, StepStarted):
            attempt |= {"started_at": event.occurred_at, "worker": event.worker}
        else:
            attempt |= {"ended_at": event.occurred_at, "outcome": OUTCOMES[type(event)]}
            attempt |= _error(event)
            del self._open[key]

    def _attempt(self, position: int, event: StepEvent) -> Row:
        task = self._tasks.get(event.task_id)
        return {
            "task_id": event.task_id,
            "opened": position,
            "step": event.step,
            "attempt": event.attempt,
            "namespace": event.namespace,
            "template": event.template,
            "version": task["version"] if task else "",
            "enqueued_at": None,
            "started_at": None,
            "ended_at": None,
            "outcome": None,
            "worker": None,
            **NO_ERROR,
        }


def _task(event: TaskCreated) -> Row:
    return {
        "task_id": event.task_id,
        "namespace": event.namespace,
        "template": event.template,
        "version": event.version,
        "priority": event.priority,
        "correlation_id": event.correlation_id,
        "created_at": event.occurred_at,
        "started_at": None,
    }


def _error(event: StepEvent) -> Row:
    if isinstance(event, StepFailed):
        error = event.error
        return {
            "error_class": error.error_class,
            "error_message": error.message,
            "category": error.category,
        }
    if isinstance(event, StepErrored):
        return {**NO_ERROR, "error_message": event.message, "category": event.reason}
    return {}


def _tasks(events: Iterable[Recorded], cursor: Cursor) -> dict[UUID, Row]:
    """The rows of the tasks that do not begin in the batch."""
    known: set[UUID] = set()
    created: set[UUID] = set()
    for recorded in events:
        event = recorded.event
        if isinstance(event, TaskCreated):
            created.add(event.task_id)
        elif isinstance(event, TaskEvent):
            known.add(event.task_id)
    asked = list(known - created)
    rows = found(cursor, TASKS, (UuidArray(asked),)) if asked else ()
    return {row["task_id"]: row for row in rows}


def _attempts(events: Iterable[Recorded], cursor: Cursor) -> dict[tuple[UUID, str], Row]:
    """The open attempts that the batch goes on with."""
    begun: dict[tuple[UUID, str], bool] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, StepEvent):
            begun.setdefault((event.task_id, event.step), isinstance(event, StepEnqueued))
    asked = [key for key, begins in begun.items() if not begins]
    if not asked:
        return {}
    tasks, steps = zip(*asked, strict=True)
    rows = found(cursor, ATTEMPTS, (UuidArray(tasks), TextArray(steps)))
    return {(row["task_id"], row["step"]): row for row in rows}
