"""submit_in_callers_transaction: left to the coordinator, in the transaction of the caller."""

from __future__ import annotations

from support.sql_calls import (
    Connection,
    Others,
    call,
    heard,
    log,
    new_id,
    submissions,
    table,
    wait_until_blocked,
)

LEAVE = "submit_in_callers_transaction"


def test_a_submission_is_kept_as_it_is_and_not_in_the_log(connection: Connection) -> None:
    task = new_id()

    call(connection, "submit_in_callers_transaction", *submissions([(None, task)], b"\1\2", 1))

    assert table(connection, "submission", "task_id", "topic", "state", "encoding") == [
        (task, "task.created", b"\1\2", 1)
    ]
    assert log(connection) == []


def test_nobody_waits_for_the_log_while_the_caller_goes_on(
    connection: Connection, others: Others
) -> None:
    with others.begin() as first:
        call(first, "submit_in_callers_transaction", *submissions([(None, new_id())]))

        assert call(connection, "submit_tasks", *submissions([(None, new_id())]))


def test_the_coordinator_hears_of_it_when_the_caller_commits(
    connection: Connection, other: Connection
) -> None:
    given = submissions([(None, new_id())])

    assert heard(other, "submission", connection, "submit_in_callers_transaction", *given) == [""]


def test_an_id_that_stands_for_something_is_told_with_it_and_left(connection: Connection) -> None:
    left, stored, fresh = new_id(), new_id(), new_id()
    call(connection, LEAVE, *submissions([(None, left)], b"\1"))
    call(connection, "submit_tasks", *submissions([(None, stored)], b"\2"))

    told = call(connection, LEAVE, *submissions([(None, left), (None, stored), ("k", fresh)]))

    assert told == [
        (left, "task.created", b"\1"),
        (stored, "task.created", b"\2"),
        (fresh, None, None),
    ]
    assert table(connection, "submission", "task_id") == [left, fresh]


def test_a_task_that_an_identity_stands_for_is_told_without_its_event(
    connection: Connection,
) -> None:
    first, second = new_id(), new_id()
    call(connection, LEAVE, *submissions([("k", first), (None, second)]))

    told = call(connection, LEAVE, *submissions([("k", second)], b"\1"))

    assert told == [(first, None, None)]


def test_a_racing_transaction_with_the_id_is_waited_for(
    connection: Connection, others: Others
) -> None:
    task = new_id()
    with others.begin() as first:
        call(first, LEAVE, *submissions([(None, task)], b"\1"))
        second = others.later(LEAVE, *submissions([(None, task)], b"\2"))
        wait_until_blocked(connection)

    assert second.result(timeout=30) == [(task, "task.created", b"\1")]
