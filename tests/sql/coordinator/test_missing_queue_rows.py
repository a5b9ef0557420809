"""missing_queue_rows: readiness says enqueued, and the queue has no row."""

from __future__ import annotations

import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.shard_assignment import shard_of
from support.builders import NOON
from support.sql_calls import (
    Connection,
    Row,
    append,
    call,
    claim,
    new_id,
    queue,
    queue_row,
    rows_of,
    step_row,
    task_row,
)

TEMPLATE = new_id()


def test_a_step_whose_row_is_missing_is_found(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "upsert_steps", rows_of([step_row(task, "there"), step_row(task, "missing")]))
    queue(connection, queue_row(task, TEMPLATE, "there"), queue_row(new_id(), TEMPLATE, "missing"))

    assert call(connection, "missing_queue_rows", 10) == [(task, "missing")]


def test_a_running_step_whose_row_is_missing_is_found_too(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "upsert_steps", rows_of([step_row(task, state="in_progress")]))

    assert call(connection, "missing_queue_rows", 10) == [(task, "a")]


def test_a_claimed_step_is_in_the_queue(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "upsert_steps", rows_of([step_row(task)]))
    queue(connection, queue_row(task, TEMPLATE))
    claim(connection, new_id(), [TEMPLATE], 1)

    assert call(connection, "missing_queue_rows", 10) == []


@pytest.mark.parametrize("state", ["pending", "waiting_for_retry", "complete", "error"])
def test_a_step_in_another_state_need_not_be_queued(connection: Connection, state: str) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "upsert_steps", rows_of([step_row(task, state=state)]))

    assert call(connection, "missing_queue_rows", 10) == []


def test_a_task_that_ended_queues_nothing(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE, ended_at=NOON)]))
    call(connection, "upsert_steps", rows_of([step_row(task)]))

    assert call(connection, "missing_queue_rows", 10) == []


def test_a_step_that_is_only_behind_is_not_lost(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "upsert_steps", rows_of([step_row(task)]))
    append(connection, Row(step_id(task, "a"), 1, "step.enqueued", task=task))
    assert call(connection, "missing_queue_rows", 10) == [(task, "a")]
    (position,) = append(connection, Row(step_id(task, "a"), 2, "step.completed", task=task))

    assert call(connection, "missing_queue_rows", 10) == []

    connection.execute("update flowledger.shard set position = %s", (position,))
    assert call(connection, "missing_queue_rows", 10) == [(task, "a")]


def test_no_more_than_the_limit_is_told(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "upsert_steps", rows_of([step_row(task, str(n)) for n in range(5)]))

    assert len(call(connection, "missing_queue_rows", 3)) == 3


def test_a_missing_row_is_told_to_the_shard_of_its_task(connection: Connection) -> None:
    tasks = [new_id() for _ in range(4)]
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE) for task in tasks]))
    call(connection, "upsert_steps", rows_of([step_row(task) for task in tasks]))

    for shard in range(2):
        found = {task for task, _ in call(connection, "missing_queue_rows", 9, shard, 2)}
        assert found == {task for task in tasks if shard_of(task, 2) == shard} != set()


def test_the_steps_of_parked_tasks_are_left_out(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE)]))
    call(connection, "upsert_steps", rows_of([step_row(task)]))
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, [task], ["it"])

    assert call(connection, "missing_queue_rows", 10) == []
