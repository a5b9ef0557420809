"""steps_of_dead_workers: claimed by workers who went silent."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, renew

TEMPLATE = new_id()


def test_steps_are_lost_when_the_lease_of_their_worker_has_run_out(connection: Connection) -> None:
    silent, lively, tasks = new_id(), new_id(), [new_id() for _ in range(3)]
    renew(connection, silent, 30.0)
    renew(connection, lively, 90.0)
    queue(connection, *(queue_row(task, TEMPLATE) for task in tasks))
    lost = claim(connection, silent, [TEMPLATE], 1)
    claim(connection, lively, [TEMPLATE], 1)
    assert (
        call(connection, "steps_of_dead_workers", 10)
        == call(connection, "steps_of_dead_workers", 10, False)
        == []
    )

    call(connection, "advance_test_clock", timedelta(seconds=31))

    assert call(connection, "steps_of_dead_workers", 10) == [(lost[0][1], "a", silent)]
    assert call(connection, "steps_of_dead_workers", 10, False) == [(lost[0][1], "a", silent)]


def test_steps_of_a_worker_that_nobody_knows_are_lost(connection: Connection) -> None:
    worker, task = new_id(), new_id()
    queue(connection, queue_row(task, TEMPLATE))
    claim(connection, worker, [TEMPLATE], 1)

    connection.execute("delete from flowledger.worker")

    assert call(connection, "steps_of_dead_workers", 10) == [(task, "a", worker)]
    assert call(connection, "steps_of_dead_workers", 10, False) == []


def test_no_more_than_the_limit_is_told(connection: Connection) -> None:
    queue(connection, *(queue_row(new_id(), TEMPLATE) for _ in range(5)))
    claim(connection, new_id(), [TEMPLATE], 5)
    connection.execute("delete from flowledger.worker")

    assert len(call(connection, "steps_of_dead_workers", 3)) == 3


def test_a_lost_step_is_told_to_the_shard_of_its_task(connection: Connection) -> None:
    tasks = [new_id() for _ in range(4)]
    queue(connection, *(queue_row(task, TEMPLATE) for task in tasks))
    claim(connection, new_id(), [TEMPLATE], 4)
    connection.execute("delete from flowledger.worker")

    for shard in range(2):
        found = {row[0] for row in call(connection, "steps_of_dead_workers", 9, True, shard, 2)}
        assert found == {task for task in tasks if shard_of(task, 2) == shard} != set()
