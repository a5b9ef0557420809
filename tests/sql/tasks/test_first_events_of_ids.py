"""first_events_of_ids: what an id stands for, in the log or left to the coordinator."""

from __future__ import annotations

from flowledger.engine.store.connection.arrays import UuidArray
from support.sql_calls import Connection, Row, call, columns, new_id, submissions


def test_each_id_is_told_once_and_free_ones_are_not(connection: Connection) -> None:
    stored, left, step = new_id(), new_id(), new_id()
    call(connection, "submit_tasks", *submissions([(None, stored)], b"\1"))
    call(connection, "submit_in_callers_transaction", *submissions([(None, left)], b"\2"))
    call(connection, "append_events", *columns([Row(step), Row(step).at(2)]))

    found = call(connection, "first_events_of_ids", UuidArray([stored, left, new_id(), step]))

    assert sorted(found) == sorted(
        [
            (stored, "task.created", b"\1"),
            (left, "task.created", b"\2"),
            (step, "step.started", b"{}"),
        ]
    )


def test_the_log_goes_before_what_is_left_under_the_same_id(connection: Connection) -> None:
    task = new_id()
    call(connection, "submit_in_callers_transaction", *submissions([(None, task)], b"\1"))
    call(connection, "append_events", *columns([Row(task, topic="task.created", state=b"\2")]))

    found = call(connection, "first_events_of_ids", UuidArray([task]))

    assert found == [(task, "task.created", b"\2")]
