"""parked_tasks_asked_to_retry: parked tasks that are to be tried again."""

from __future__ import annotations

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, call, new_id


def park(connection: Connection, *tasks: object) -> None:
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, list(tasks), ["it"] * len(tasks))


def test_only_those_that_were_asked_for_are_wanted(connection: Connection) -> None:
    task, other = new_id(), new_id()
    park(connection, task, other)
    call(connection, "request_parked_retry", [task])

    assert call(connection, "parked_tasks_asked_to_retry", 10) == [task]


def test_no_more_than_the_limit_is_told_and_each_shard_its_own(connection: Connection) -> None:
    tasks = [new_id() for _ in range(6)]
    park(connection, *tasks)
    call(connection, "request_parked_retry")

    assert len(call(connection, "parked_tasks_asked_to_retry", 4)) == 4
    found = set(call(connection, "parked_tasks_asked_to_retry", 9, 0, 2))
    assert found == {task for task in tasks if shard_of(task, 2) == 0}


def test_one_that_is_left_to_the_coordinator_comes_with_the_others_that_are(
    connection: Connection,
) -> None:
    task = new_id()
    park(connection, task)
    call(
        connection, "submit_in_callers_transaction", [None], [task], ["task.created"], [b"{}"], [0]
    )
    assert call(connection, "pending_submissions", 10) == []

    call(connection, "request_parked_retry")

    assert call(connection, "parked_tasks_asked_to_retry", 10) == []
    assert [row[1] for row in call(connection, "pending_submissions", 10)] == [task]
