"""deregister_worker: what it still holds counts as lost."""

from __future__ import annotations

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, renew, table

TEMPLATE = new_id()


def test_a_workers_lease_ends_at_once_and_its_steps_are_lost(connection: Connection) -> None:
    worker, task, other = new_id(), new_id(), new_id()
    renew(connection, worker, 60.0)
    renew(connection, other, 60.0)
    queue(connection, queue_row(task, TEMPLATE))
    claim(connection, worker, [TEMPLATE], 1)

    call(connection, "deregister_worker", worker)

    assert call(connection, "steps_of_dead_workers", 10, False) == [(task, "a", worker)]


def test_an_unknown_worker_is_no_error(connection: Connection) -> None:
    call(connection, "deregister_worker", new_id())

    assert table(connection, "worker", "worker_id") == []
