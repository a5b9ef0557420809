"""steps_to_withdraw: what waits for a worker, of templates and of outside systems."""

from __future__ import annotations

from uuid import UUID

import pytest

from flowledger.engine.domain.shard_assignment import shard_of
from support.builders import step, template
from support.sql_calls import Connection, call, claim, new_id, queue, queue_row
from support.stored_tasks import register

BANKING = template(step("charge", system="bank"), step("ship"), name="banking")
BAKING = template(step("charge", system="oven"), name="baking")


@pytest.fixture
def tasks(connection: Connection) -> list[UUID]:
    """Two tasks of the one template and one of the other, whose steps are queued in this order."""
    tasks = [new_id() for _ in range(3)]
    for one in (BANKING, BAKING):
        register(connection, one)
    rows = [
        queue_row(tasks[0], BANKING.template_id, "charge", sort_key=1.0),
        queue_row(tasks[0], BANKING.template_id, "ship", sort_key=2.0),
        queue_row(tasks[1], BANKING.template_id, "charge", sort_key=3.0),
        queue_row(tasks[2], BAKING.template_id, "charge", sort_key=4.0),
    ]
    queue(connection, *rows)
    return tasks


def test_steps_of_a_template_are_found_the_last_first(
    connection: Connection, tasks: list[UUID]
) -> None:
    found = call(connection, "steps_to_withdraw", [BANKING.template_id], [], 10, 0, 1)

    assert found == [(tasks[1], "charge"), (tasks[0], "ship"), (tasks[0], "charge")]


def test_steps_that_depend_on_a_system_are_found(connection: Connection, tasks: list[UUID]) -> None:
    assert call(connection, "steps_to_withdraw", [], ["bank"], 10, 0, 1) == [
        (tasks[1], "charge"), (tasks[0], "charge"),
    ]  # fmt: skip
    assert call(connection, "steps_to_withdraw", [], ["nowhere"], 10, 0, 1) == []


def test_both_are_found_at_once_and_no_more_than_the_limit(
    connection: Connection, tasks: list[UUID]
) -> None:
    found = call(connection, "steps_to_withdraw", [BAKING.template_id], ["bank"], 2, 0, 1)

    assert found == [(tasks[2], "charge"), (tasks[1], "charge")]


def test_what_a_worker_has_claimed_is_not_found(connection: Connection, tasks: list[UUID]) -> None:
    claim(connection, new_id(), [BANKING.template_id], 2)

    found = call(connection, "steps_to_withdraw", [BANKING.template_id], [], 10, 0, 1)
    assert found == [(tasks[1], "charge")]


def test_each_shard_finds_the_steps_of_its_tasks(connection: Connection, tasks: list[UUID]) -> None:
    for shard in range(2):
        found = call(connection, "steps_to_withdraw", [], ["bank"], 10, shard, 2)
        mine = [task for task in (tasks[1], tasks[0]) if shard_of(task, 2) == shard]
        assert [task for task, _ in found] == mine
