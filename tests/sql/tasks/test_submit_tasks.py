"""submit_tasks: the creation of tasks whose identity is free."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, call, heard, log, new_id, submissions, table


def test_a_task_begins_with_its_creation(connection: Connection) -> None:
    task = new_id()

    call(connection, "submit_tasks", *submissions([(None, task)], b"\1\2", 1))

    row = connection.execute(
        "select originator_id, originator_version, task_id, topic, state, encoding"
        " from flowledger.event"
    ).fetchone()
    assert row == (task, 1, task, "task.created", b"\1\2", 1)


def test_the_coordinator_hears_of_it(connection: Connection, other: Connection) -> None:
    given = submissions([(None, new_id())])

    assert heard(other, "fact", connection, "submit_tasks", *given) == [""]


def test_the_same_task_twice_is_refused_and_stores_nothing(connection: Connection) -> None:
    task = new_id()

    with pytest.raises(psycopg.errors.UniqueViolation):
        call(
            connection,
            "submit_tasks",
            *submissions([(None, task), ("k", new_id()), (None, task)]),
        )

    assert log(connection) == []
    assert table(connection, "identity", "identity") == []


def test_the_id_of_a_task_that_is_left_to_the_coordinator_is_refused(
    connection: Connection,
) -> None:
    task, other = new_id(), new_id()
    call(connection, "submit_in_callers_transaction", *submissions([("k", task)]))

    with pytest.raises(psycopg.errors.UniqueViolation):
        call(connection, "submit_tasks", *submissions([("k", task)], b"\1"))

    assert call(connection, "submit_tasks", *submissions([("k", other)])) == [task]
    assert log(connection) == []
