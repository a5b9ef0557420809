"""pending_submissions: what applications left, oldest first."""

from __future__ import annotations

from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.store.connection.arrays import BigintArray, ByteaArray, TextArray, UuidArray
from support.sql_calls import Connection, call, new_id, submissions


def test_the_oldest_come_first_and_stay_until_they_are_taken(connection: Connection) -> None:
    tasks = [new_id() for _ in range(3)][::-1]
    for task in tasks:
        call(
            connection,
            "submit_in_callers_transaction",
            *(TextArray([None]), UuidArray([task]), TextArray(["task.created"])),
            *(ByteaArray([b"x"]), BigintArray([0])),
        )

    found = call(connection, "pending_submissions", 2)

    assert [row[1:] for row in found] == [(task, "task.created", b"x") for task in tasks[:2]]
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert call(connection, "pending_submissions", 2) == found


def test_a_submission_is_told_to_the_shard_of_its_task(connection: Connection) -> None:
    tasks = [new_id() for _ in range(4)]
    count = len(tasks)
    call(
        connection,
        "submit_in_callers_transaction",
        *(TextArray([None] * count), UuidArray(tasks), TextArray(["task.created"] * count)),
        *(ByteaArray([b"x"] * count), BigintArray([0] * count)),
    )

    for shard in range(2):
        found = [row[1] for row in call(connection, "pending_submissions", 9, shard, 2)]
        assert found == [task for task in tasks if shard_of(task, 2) == shard] != []


def test_what_came_into_the_log_first_under_the_same_id_is_not_created_again(
    connection: Connection,
) -> None:
    task, other = new_id(), new_id()
    call(connection, "submit_in_callers_transaction", *submissions([(None, task), (None, other)]))
    connection.execute(
        "insert into flowledger.event (originator_id, originator_version, topic, state, task_id,"
        " encoding) values (%s, 1, 'task.created', '', %s, 0)",
        (task, task),
    )

    assert [row[1] for row in call(connection, "pending_submissions", 9)] == [other]
