"""unqueued_steps: readiness says enqueued, and the queue has no row."""

from __future__ import annotations

import pytest
from board import NOON, Connection, call, new_id, queue, queue_row, rows_of, step_row, task_row

TEMPLATE = new_id()


def test_a_step_whose_row_is_missing_is_found(connection: Connection) -> None:
    task = new_id()
    call(connection, "store_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "store_steps", rows_of([step_row(task, "there"), step_row(task, "missing")]))
    queue(connection, queue_row(task, TEMPLATE, "there"), queue_row(new_id(), TEMPLATE, "missing"))

    assert call(connection, "unqueued_steps", 10) == [(task, "missing")]


def test_a_claimed_step_is_in_the_queue(connection: Connection) -> None:
    task = new_id()
    call(connection, "store_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "store_steps", rows_of([step_row(task)]))
    queue(connection, queue_row(task, TEMPLATE))
    call(connection, "claim_steps", new_id(), [TEMPLATE], 1)

    assert call(connection, "unqueued_steps", 10) == []


@pytest.mark.parametrize(
    "state", ["pending", "in_progress", "waiting_for_retry", "complete", "error"]
)
def test_a_step_in_another_state_need_not_be_queued(connection: Connection, state: str) -> None:
    task = new_id()
    call(connection, "store_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "store_steps", rows_of([step_row(task, state=state)]))

    assert call(connection, "unqueued_steps", 10) == []


def test_a_task_that_ended_queues_nothing(connection: Connection) -> None:
    task = new_id()
    call(connection, "store_tasks", rows_of([task_row(task, TEMPLATE, ended_at=NOON)]))
    call(connection, "store_steps", rows_of([step_row(task)]))

    assert call(connection, "unqueued_steps", 10) == []


def test_no_more_than_the_limit_is_told(connection: Connection) -> None:
    task = new_id()
    call(connection, "store_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "store_steps", rows_of([step_row(task, str(n)) for n in range(5)]))

    assert len(call(connection, "unqueued_steps", 3)) == 3
