"""submit_in_callers_transaction: left to the coordinator, in the transaction of the caller."""

from __future__ import annotations

from support.sql_calls import Connection, Others, call, heard, log, new_id, submissions, table


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
