"""last_failure_times: when each step of a task failed last, from the log."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id
from support.builders import NOON
from support.sql_calls import Connection, append, call, new_id
from support.sql_calls import Row as Event
from support.stored_tasks import failed_at

LATER = NOON + timedelta(minutes=5)


def failures(connection: Connection, task: UUID) -> dict[str, datetime]:
    (found,) = call(connection, "last_failure_times", task)
    return {step: datetime.fromisoformat(at) for step, at in (found or {}).items()}


def test_the_last_failure_of_each_step_is_told(connection: Connection) -> None:
    task = new_id()
    failed_at(connection, task, "a", NOON, version=3)
    failed_at(connection, task, "a", LATER, version=6)
    failed_at(connection, task, 'a "b" \\ ö', NOON)
    failed_at(connection, new_id(), "a", LATER + timedelta(days=1))

    assert failures(connection, task) == {"a": LATER, 'a "b" \\ ö': NOON}


def test_a_task_without_failures_has_none(connection: Connection) -> None:
    task = new_id()
    append(connection, Event(task, 1, "task.created", b"{}", task))

    assert call(connection, "last_failure_times", task) == [None]
    assert call(connection, "last_failure_times", new_id()) == [None]


def test_what_is_encrypted_is_passed_over(connection: Connection) -> None:
    task = new_id()
    failed_at(connection, task, "a", NOON)
    hidden = Event(step_id(task, "b"), 3, "step.attempt_failed", b"\x00\xff", task, encoding=1)
    append(connection, hidden)

    assert failures(connection, task) == {"a": NOON}


def test_what_says_no_step_or_no_time_is_passed_over(connection: Connection) -> None:
    task = new_id()
    failed_at(connection, task, "a", NOON)
    said = [
        b'{"step": "a", "occurred_at": "of no kind"}',
        b'{"occurred_at": "2026-03-01T12:00:00Z"}',
        b"[1]",
    ]
    for number, state in enumerate(said):
        stream = step_id(task, f"forged {number}")
        append(connection, Event(stream, 1, "step.attempt_failed", state, task))

    assert failures(connection, task) == {"a": NOON}
