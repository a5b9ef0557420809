"""lock_task: neither the coordinator nor a worker changes the task's rows meanwhile."""

from __future__ import annotations

from flowledger.engine.domain.deterministic_ids import uuid7
from support.sql_calls import Connection, Others, call, new_id, queue, queue_row, wait_until_blocked

TEMPLATE = new_id()


def test_its_queue_rows_are_passed_over_by_claims_and_others_are_not(
    connection: Connection, others: Others
) -> None:
    task, other = uuid7(5, 5), uuid7(7, 7)
    queue(connection, queue_row(task, TEMPLATE), queue_row(other, TEMPLATE))

    with others.begin() as locking:
        call(locking, "lock_task", task)
        found = connection.execute(
            "select task_id from flowledger.queue for update skip locked"
        ).fetchall()

    assert found == [(other,)]


def test_no_coordinator_commits_meanwhile(connection: Connection, others: Others) -> None:
    with others.begin() as locking:
        call(locking, "lock_task", new_id())
        leading = others.later("acquire_shard_lease", 0, new_id(), 60.0)
        wait_until_blocked(connection)

    assert leading.result(timeout=30)
