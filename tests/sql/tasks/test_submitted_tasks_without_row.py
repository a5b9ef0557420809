"""submitted_tasks_without_row: what was submitted, and no coordinator has taken on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import milliseconds, uuid7
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.store.log.event_mapper import EventMapper
from support.builders import NOON, event
from support.sql_calls import Connection, Row, append, call, new_id, rows_of, task_row


def submitted(connection: Connection) -> list[tuple[UUID, datetime]]:
    return sorted(
        (row[0], row[1].astimezone(UTC)) for row in call(connection, "submitted_tasks_without_row")
    )


def created(task: UUID, at: datetime) -> bytes:
    happened = event(TaskCreated, 1, version="1", definition_hash="", template_id=new_id())
    return EventMapper().payload(
        happened.model_copy(
            update={"occurred_at": at, "task_id": task, "correlation_id": str(task)}
        )
    )


def left_behind(connection: Connection, position: int) -> None:
    """Every coordinator has read so far."""
    connection.execute("update flowledger.shard set position = %s", (position,))


def park(connection: Connection, task: UUID) -> None:
    connection.execute(
        "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
        " values (%s, 'x', now(), now())",
        (task,),
    )


def test_what_no_coordinator_has_read_is_submitted(connection: Connection) -> None:
    at = NOON + timedelta(microseconds=123_457)
    task, known = new_id(), new_id()
    for one in (task, known):
        append(connection, Row(one, 1, "task.created", created(one, at), one))
    call(connection, "upsert_tasks", rows_of([task_row(known, new_id())]))

    assert submitted(connection) == [(task, at)]


def test_what_an_application_left_is_submitted(connection: Connection) -> None:
    task = new_id()
    connection.execute(
        "insert into flowledger.submission (task_id, encoding, topic, state)"
        " values (%s, 0, 'task.created', %s)",
        (task, created(task, NOON)),
    )

    assert submitted(connection) == [(task, NOON)]


def test_what_was_read_is_submitted_only_while_it_is_parked(connection: Connection) -> None:
    parked, gone = new_id(), new_id()
    for one in (parked, gone):
        (position,) = append(connection, Row(one, 1, "task.created", created(one, NOON), one))
    left_behind(connection, position)
    park(connection, parked)

    assert submitted(connection) == [(parked, NOON)]


def test_a_task_is_told_once_whatever_has_become_of_it(connection: Connection) -> None:
    task = new_id()
    append(connection, Row(task, 1, "task.created", created(task, NOON), task))
    park(connection, task)

    assert submitted(connection) == [(task, NOON)]


@pytest.mark.parametrize(
    "payload", [{"state": b"\x01" * 50, "encoding": 1}, {"state": b""}], ids=["encrypted", "empty"]
)
def test_what_cannot_be_read_has_the_time_of_its_id(
    connection: Connection, payload: dict[str, Any]
) -> None:
    at = NOON + timedelta(milliseconds=7)
    task = uuid7(milliseconds(at), 1)
    append(connection, Row(task, 1, "task.created", task=task, **payload))

    assert submitted(connection) == [(task, at)]
