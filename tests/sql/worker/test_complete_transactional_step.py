"""complete_transactional_step: the end of a transactional step, in its handler's own
transaction."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from flowledger.engine.domain.deterministic_ids import step_id
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
    """A step that the worker has started, at version 2 of its stream."""
    task = new_id()
    step = step_id(task, "a")
    append(connection, Row(step, 1, task=task), Row(step, 2, task=task))
    queue(connection, queue_row(task, TEMPLATE))
    claim(connection, WORKER, [TEMPLATE], 1)
    return step


def complete(
    connection: Connection, step: UUID, worker: UUID = WORKER, attempt: int = 1, mark: str = "mine"
) -> int:
    with connection.transaction():
        connection.execute("set local flowledger.transaction = 'mine'")
        (version,) = call(
            connection, "complete_transactional_step", worker, step, attempt, mark, b"{}", 0
        )
    return int(version)


def test_the_completion_follows_the_start_and_the_row_is_released(
    connection: Connection, step: UUID
) -> None:
    assert complete(connection, step) == 3

    assert log(connection)[-1] == (step, 3)
    assert table(connection, "queue", "step_id") == []
    assert "step.completed" in table(connection, "event", "topic")


def test_it_follows_checkpoints_and_signals(connection: Connection, step: UUID) -> None:
    call(connection, "checkpoint_step", WORKER, step, 1, b"{}", 0)
    append(connection, Row(step, 4, "step.cancel_signalled"))
    call(connection, "signal_cancel", [step])

    assert complete(connection, step) == 5


@pytest.mark.parametrize(("worker", "attempt"), [(new_id(), 1), (WORKER, 2)])
def test_only_the_attempt_that_holds_the_step_may(
    connection: Connection, step: UUID, worker: UUID, attempt: int
) -> None:
    with pytest.raises(psycopg.DatabaseError) as caught:
        complete(connection, step, worker, attempt)

    assert caught.value.sqlstate == "FL003"
    assert len(log(connection)) == 2


def test_where_the_log_is_further_on_than_the_board_nothing_is_stored(
    connection: Connection, step: UUID
) -> None:
    append(connection, Row(step, 3, "step.timed_out", b"other"))

    with pytest.raises(psycopg.DatabaseError) as caught:
        complete(connection, step)

    assert caught.value.sqlstate == "FL009"
    assert table(connection, "queue", "step_id") == [step]


def test_another_transaction_than_the_one_that_began_is_refused(
    connection: Connection, step: UUID
) -> None:
    with pytest.raises(psycopg.DatabaseError) as caught:
        complete(connection, step, mark="another")

    assert caught.value.sqlstate == "FL004"
    with pytest.raises(psycopg.DatabaseError) as caught:
        call(connection, "complete_transactional_step", WORKER, step, 1, "mine", b"{}", 0)
    assert caught.value.sqlstate == "FL004"


def test_the_coordinator_hears_of_it(connection: Connection, other: Connection, step: UUID) -> None:
    connection.execute("set flowledger.transaction = 'mine'")
    arguments = (WORKER, step, 1, "mine", b"{}", 0)

    assert heard(other, "fact", connection, "complete_transactional_step", *arguments) == [""]


def test_a_row_that_cannot_be_counted_on_from_is_nobodys(
    connection: Connection, step: UUID
) -> None:
    connection.execute("update flowledger.queue set stream_version = 1000000000000")

    with pytest.raises(psycopg.DatabaseError) as caught:
        complete(connection, step)

    assert caught.value.sqlstate == "FL003"
    assert table(connection, "queue", "step_id") == [step]
