"""The read model `flowledger_history`: each task, and each attempt at a step, with its times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import LiteralString
from uuid import UUID

from flowledger.engine.domain.machine.transitions import TASK_ENDS, TASK_TRANSITIONS, TaskState
from flowledger.engine.events.base import Event, Recorded, StepEvent, TaskEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepCompleted,
    StepCompletedManually,
    StepDequeued,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepReleased,
    StepReset,
    StepResolvedManually,
    StepSkipped,
    StepStarted,
    StepTimedOut,
)
from flowledger.engine.events.task import TaskCreated, TaskStarted
from flowledger.projections.builtin.rows_touched_by_batch import Key, Row, store, tables_of
from flowledger.projections.projection import Projection, on_batch
from flowledger.projections.restricted_cursor import Cursor

OUTCOMES: Mapping[type[Event], str] = MappingProxyType(
    {
        StepCompleted: "completed",
        StepAttemptFailed: "failed",
        StepTimedOut: "timed_out",
        StepLeaseExpired: "lease_expired",
        StepReleased: "handed_back",
        StepDequeued: "withdrawn",
        StepFailed: "errored",
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

BEGIN_TASKS: LiteralString = """
    insert into task_history select * from json_populate_recordset(null::task_history, %s)
"""
# Rows are looked up one by one: of tables that grow while they are built, the planner knows little,
# and would read all that is open, or all there is, for each batch.
GO_ON_WITH_TASKS: LiteralString = """
    update task_history as t
    set state = n.state, started_at = coalesce(n.started_at, t.started_at), ended_at = n.ended_at
    from (
        select j.*, (select k.ctid from task_history as k where k.task_id = j.task_id) as place
        from json_populate_recordset(null::task_history, %s) as j
    ) as n
    where t.ctid = n.place
"""
STORE_ATTEMPTS: LiteralString = """
    with going_on as materialized (
        select * from json_populate_recordset(null::attempt, %s)
    ),

    known as (
        update attempt as a
        set started_at = coalesce(n.started_at, a.started_at),
            worker = coalesce(n.worker, a.worker),
            ended_at = n.ended_at, outcome = n.outcome, error_class = n.error_class,
            error_message = n.error_message, category = n.category
        from (
            select g.*, (
                select o.ctid from attempt as o
                where o.task_id = g.task_id and o.step = g.step and o.ended_at is null
                order by o.opened desc limit 1
            ) as place
            from going_on as g
        ) as n
        where a.ctid = n.place
        returning n.opened
    ),

    new as (
        select * from json_populate_recordset(null::attempt, %s)
        union all
        select * from going_on where opened not in (select opened from known)
    )

    insert into attempt
    select
        n.task_id, n.opened, n.step, n.attempt, n.namespace, n.template,
        coalesce((select t.version from task_history as t where t.task_id = n.task_id), ''),
        n.enqueued_at, n.started_at, n.ended_at, n.outcome, n.worker,
        n.error_class, n.error_message, n.category
    from new as n
"""


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
        lives = HistoryFold()
        for position, _, event in events:
            if isinstance(event, StepEvent):
                lives.of_step(position, event)
            elif isinstance(event, TaskEvent):
                lives.of_task(event)
        store(cursor, BEGIN_TASKS, lives.tasks.values())
        store(cursor, GO_ON_WITH_TASKS, lives.known_tasks.values())
        store(cursor, STORE_ATTEMPTS, lives.known_attempts, lives.attempts)

    def forget(self, tasks: Sequence[UUID], cursor: Cursor) -> None:
        """Delete the rows of these tasks."""
        cursor.execute("delete from attempt where task_id = any(%s)", (list(tasks),))
        cursor.execute("delete from task_history where task_id = any(%s)", (list(tasks),))


class HistoryFold:
    """What a batch of events says of tasks and attempts, of those that begin in it and of others.

    Of others it says what changes, and nothing is read: whether there is an attempt to go on with
    is seen where it is stored. If not, it was begun by an operator, or what began it was dropped by
    one; of a task whose beginning was dropped there is no row.
    """

    def __init__(self) -> None:
        self.tasks: dict[int, Row] = {}
        self.known_tasks: dict[int, Row] = {}
        self.attempts: list[Row] = []
        self.known_attempts: list[Row] = []
        self._at: dict[Key, Row | None] = {}  # None: its last attempt ended in this batch

    def of_task(self, event: TaskEvent) -> None:
        """What the event says of its task."""
        key = event.task_id.int
        if isinstance(event, TaskCreated):
            self.tasks[key] = _task(event)
        task = self.tasks.get(key)
        if task is None:
            task = self.known_tasks.setdefault(key, {"task_id": event.task_id})
        state = STATES[type(event)]
        task["state"] = state
        task["ended_at"] = event.occurred_at if state in TASK_ENDS else None
        if isinstance(event, TaskStarted):
            task["started_at"] = event.occurred_at

    def of_step(self, position: int, event: StepEvent) -> None:
        """What the event says of an attempt."""
        key = event.task_id.int, event.step
        if isinstance(event, StepEnqueued):
            begun = _begun(position, event, self.attempts)
            begun["enqueued_at"] = event.occurred_at
            self._at[key] = begun
            return
        attempt = self._at.get(key)
        if attempt is None:
            of = self.attempts if key in self._at else self.known_attempts
            attempt = _begun(position, event, of)
            self._at[key] = attempt
        if isinstance(event, StepStarted):
            attempt["started_at"] = event.occurred_at
            attempt["worker"] = event.worker
            return
        attempt["ended_at"] = event.occurred_at
        attempt["outcome"] = OUTCOMES[type(event)]
        attempt |= _error(event)
        self._at[key] = None


def _begun(position: int, event: StepEvent, attempts: list[Row]) -> Row:
    attempt: Row = {
        "task_id": event.task_id,
        "opened": position,
        "step": event.step,
        "attempt": event.attempt,
        "namespace": event.namespace,
        "template": event.template,
    }
    attempts.append(attempt)
    return attempt


def _task(event: TaskCreated) -> Row:
    return {
        "task_id": event.task_id,
        "namespace": event.namespace,
        "template": event.template,
        "version": event.version,
        "priority": event.priority,
        "correlation_id": event.correlation_id,
        "created_at": event.occurred_at,
    }


def _error(event: StepEvent) -> Mapping[str, str | None]:
    if isinstance(event, StepAttemptFailed):
        error = event.error
        return {
            "error_class": error.error_class,
            "error_message": error.message,
            "category": error.category,
        }
    if isinstance(event, StepFailed):
        return {"error_message": event.message, "category": event.reason}
    return {}
