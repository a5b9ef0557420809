"""submit_tasks: the creation of tasks whose identity is free."""

from __future__ import annotations

from support.sql_calls import Connection, call, heard, new_id, submissions


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
