"""lost_steps: claimed by workers who went silent."""

from __future__ import annotations

from datetime import timedelta

from board import Connection, call, new_id, queue, queue_row, renew

TEMPLATE = new_id()


def test_steps_are_lost_when_the_lease_of_their_worker_has_run_out(connection: Connection) -> None:
    silent, lively, tasks = new_id(), new_id(), [new_id() for _ in range(3)]
    renew(connection, silent, 30.0)
    renew(connection, lively, 90.0)
    queue(connection, *(queue_row(task, TEMPLATE) for task in tasks))
    lost = call(connection, "claim_steps", silent, [TEMPLATE], 1)
    call(connection, "claim_steps", lively, [TEMPLATE], 1)
    assert call(connection, "lost_steps", 10) == call(connection, "lost_steps", 10, False) == []

    call(connection, "move_clock", timedelta(seconds=31))

    assert call(connection, "lost_steps", 10) == [(lost[0][1], "a", silent)]
    assert call(connection, "lost_steps", 10, False) == [(lost[0][1], "a", silent)]


def test_steps_of_a_worker_that_nobody_knows_are_lost(connection: Connection) -> None:
    worker, task = new_id(), new_id()
    queue(connection, queue_row(task, TEMPLATE))
    call(connection, "claim_steps", worker, [TEMPLATE], 1)

    assert call(connection, "lost_steps", 10) == [(task, "a", worker)]
    assert call(connection, "lost_steps", 10, False) == []


def test_no_more_than_the_limit_is_told(connection: Connection) -> None:
    queue(connection, *(queue_row(new_id(), TEMPLATE) for _ in range(5)))
    call(connection, "claim_steps", new_id(), [TEMPLATE], 5)

    assert len(call(connection, "lost_steps", 3)) == 3
