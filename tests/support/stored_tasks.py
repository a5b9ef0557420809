"""Tasks played in memory, in the rows that a coordinator would have stored of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.runtime.coordinator import commit_contents as batch
from support.builders import NOON
from support.limits import NO_DEMAND
from support.sql_calls import Connection, append, call, new_id, rows_of, step_row, task_row
from support.sql_calls import Row as Event

READINESS = (
    "task_id",
    "step",
    "current_state",
    "dependencies_satisfied",
    "retry_eligible",
    "ready_for_execution",
    "last_failure_at",
    "next_retry_at",
    "total_parents",
    "completed_parents",
    "attempts",
    "max_attempts",
)


def register(connection: Connection, template: Template) -> UUID:
    """Register the definition; its id."""
    call(
        connection,
        "register_template",
        *(template.template_id, template.namespace, template.name, template.version),
        template.definition_hash,
        orjson.dumps(template.model_dump(mode="json")).decode(),
        *("template.registered", b"{}", 0),
    )
    return template.template_id


def store(connection: Connection, run: TaskRun) -> UUID:
    """Store all rows of a task and register its template; the task's id."""
    register(connection, run.plan.template)
    call(connection, "upsert_tasks", rows_of([batch.task_row(run)]))
    begun = [batch.step_row(run, n) for n, step in enumerate(run.steps) if step.version]
    call(connection, "upsert_steps", rows_of(begun))
    connection.execute("delete from flowledger.waiting_step where task_id = %s", (run.task_id,))
    connection.execute("delete from flowledger.timer where step_id = %s", (run.task_id,))
    if run.timer is not None:
        call(connection, "upsert_timers", rows_of([batch.task_timer_row(run)]))
    call(connection, "store_waiting_steps", rows_of(_waiting_row(run, n) for n in run.waiting))
    return run.task_id


def given_task(connection: Connection, template: Template, *steps: dict[str, Any]) -> UUID:
    """A task of the template, of which these steps have rows, named by `step`."""
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, register(connection, template))]))
    call(connection, "upsert_steps", rows_of(step_row(task, s.pop("step"), **s) for s in steps))
    return task


def submitted(connection: Connection) -> UUID:
    """A task that no coordinator has met yet: it is in the log, and has no rows."""
    task = new_id()
    append(connection, Event(task, 1, "task.created", b"{}", task))
    return task


def readiness(connection: Connection, *arguments: Any) -> dict[str, dict[str, Any]]:
    """What `step_readiness` says, by step."""
    return by_step(call(connection, "step_readiness", *arguments))


def by_step(rows: list[Any]) -> dict[str, dict[str, Any]]:
    """Rows of step readiness by step."""
    named = [dict(zip(READINESS, row, strict=True)) for row in rows]
    return {row["step"]: row for row in named}


def context(connection: Connection, task: UUID) -> dict[str, Any]:
    """What `task_execution_context` says."""
    query = "select row_to_json(c) from flowledger.task_execution_context(%s) as c"
    row = connection.execute(query, (task,)).fetchone()
    assert row is not None
    found: dict[str, Any] = row[0]
    return found


def failed_at(
    connection: Connection, task: UUID, name: str, at: datetime, version: int = 3
) -> None:
    """An event in the log: an attempt of the step failed at that time."""
    payload = {"step": name, "occurred_at": at, "error": {"message": "a zero: \0"}}
    row = Event(step_id(task, name), version, "step.attempt_failed", orjson.dumps(payload), task)
    append(connection, row)


def _waiting_row(run: TaskRun, number: int) -> dict[str, Any]:
    name = run.plan.steps[number].name
    hold = run.waiting[number]
    return {
        "step_id": step_id(run.task_id, name),
        "task_id": run.task_id,
        "step": name,
        "kind": hold.kind,
        "limit_key": hold.key,
        "sort_key": 0.0,
        "since": NOON,
        "until": hold.until,
        "demand": NO_DEMAND,
    }
