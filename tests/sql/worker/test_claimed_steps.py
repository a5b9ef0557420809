"""claimed_steps: what a worker has claimed, as it was claimed."""

from __future__ import annotations

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row

TEMPLATE = new_id()


def test_a_worker_is_told_what_it_claimed_and_nothing_else(connection: Connection) -> None:
    worker = new_id()
    for _ in range(3):
        queue(connection, queue_row(new_id(), TEMPLATE, correlation="c"))
    queue(connection, queue_row(new_id(), TEMPLATE))
    claim(connection, new_id(), [TEMPLATE], 1)
    mine = claim(connection, worker, [TEMPLATE], 2)

    assert sorted(call(connection, "claimed_steps", worker)) == sorted(mine)
    assert call(connection, "claimed_steps", new_id()) == []


def test_the_task_is_its_own_correlation_where_none_was_given(connection: Connection) -> None:
    worker, task = new_id(), new_id()
    queue(connection, queue_row(task, TEMPLATE))
    claim(connection, worker, [TEMPLATE], 1)

    assert call(connection, "claimed_steps", worker)[0][6] == str(task)
