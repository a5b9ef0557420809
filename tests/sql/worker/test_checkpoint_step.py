"""checkpoint_step: a checkpoint of a running step, where the board says that the stream stands."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events.task import TaskStarted
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.payload_header import microseconds
from support.builders import event
from support.sql_calls import (
    Connection,
    Row,
    append,
    call,
    claim,
    heard,
    log,
    new_id,
    queue,
    queue_row,
    table,
)

TEMPLATE, WORKER = new_id(), new_id()


@pytest.fixture
def step(connection: Connection) -> UUID:
    """A step whose second attempt the worker has started, at version 4 of its stream."""
    task = new_id()
    step = step_id(task, "a")
    append(connection, *(Row(step, version, task=task) for version in (1, 2, 3, 4)))
    queue(connection, queue_row(task, TEMPLATE, version=3, attempt=2))
    claim(connection, WORKER, [TEMPLATE], 1)
    return step


def checkpoint(
    connection: Connection, step: UUID, worker: UUID = WORKER, attempt: int = 2
) -> tuple[int | None, bool | None]:
    ((version, cancelling, _),) = call(
        connection, "checkpoint_step", worker, step, attempt, b"{}", 0
    )
    return version, cancelling


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def test_each_checkpoint_moves_the_stream_and_the_row_on(
    connection: Connection, step: UUID
) -> None:
    assert checkpoint(connection, step) == (5, False)
    assert checkpoint(connection, step) == (6, False)

    topics = connection.execute(
        "select originator_version, topic, task_id is not null from flowledger.event"
        " where originator_version > 4 order by notification_id"
    ).fetchall()
    assert topics == [(5, "step.checkpointed", True), (6, "step.checkpointed", True)]
    assert table(connection, "queue", "stream_version") == [5]


def test_a_step_that_shall_stop_may_still_note_how_far_it_is(
    connection: Connection, step: UUID
) -> None:
    append(connection, Row(step, 5, "step.cancel_signalled"))
    call(connection, "signal_cancel", [step])

    assert checkpoint(connection, step) == (6, True)


def test_it_is_told_when_the_checkpoint_is_said_to_have_happened(
    connection: Connection, step: UUID
) -> None:
    """Not before what it follows, which a clock that is ahead may have written."""
    behind, ahead, later = (
        EventMapper().payload(event(TaskStarted, 2).model_copy(update={"occurred_at": at(day)}))
        for day in (1, 2, 3)
    )
    append(connection, Row(step, 5, "step.cancel_signalled", ahead))
    call(connection, "signal_cancel", [step])

    ((version, _, told),) = call(connection, "checkpoint_step", WORKER, step, 2, behind, 0)
    (following,) = call(connection, "checkpoint_step", WORKER, step, 2, later, 0)

    assert (version, told) == (6, microseconds(at(2)))
    assert following == (7, True, microseconds(at(3)))


@pytest.mark.parametrize(("worker", "attempt"), [(new_id(), 2), (WORKER, 1), (WORKER, 3)])
def test_only_the_attempt_that_holds_the_step_may(
    connection: Connection, step: UUID, worker: UUID, attempt: int
) -> None:
    assert checkpoint(connection, step, worker, attempt) == (None, None)
    assert len(log(connection)) == 4


def test_where_the_log_is_further_on_than_the_board_nothing_is_stored(
    connection: Connection, step: UUID
) -> None:
    append(connection, Row(step, 5, "step.timed_out", b"other"))

    with pytest.raises(psycopg.DatabaseError) as caught:
        checkpoint(connection, step)

    assert caught.value.sqlstate == "FL009"
    assert table(connection, "queue", "stream_version") == [3]


def test_nobody_need_hurry(connection: Connection, other: Connection, step: UUID) -> None:
    arguments = ("checkpoint_step", WORKER, step, 2, b"{}", 0)

    assert heard(other, "fact", connection, *arguments) == []


def test_a_row_that_cannot_be_counted_on_from_is_nobodys(
    connection: Connection, step: UUID
) -> None:
    connection.execute("update flowledger.queue set stream_version = 1000000000000")

    assert checkpoint(connection, step) == (None, None)
    assert table(connection, "queue", "stream_version") == [10**12]
