"""task_rebuild_request_status: how a rebuild of tasks stands."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id


def test_it_begins_with_nothing_done(connection: Connection) -> None:
    number = call(connection, "request_tasks_rebuild", "money", new_id(), None)[0]

    assert call(connection, "task_rebuild_request_status", number) == [("asked", 0, None)]


def test_there_is_none_of_the_number(connection: Connection) -> None:
    assert call(connection, "task_rebuild_request_status", 7) == []


def test_it_is_that_of_the_projection_that_is_named(connection: Connection) -> None:
    number = call(connection, "request_tasks_rebuild", "money", new_id(), None)[0]

    found = {
        name: call(connection, "task_rebuild_request_status", number, name)
        for name in ("money", "others")
    }

    assert found == {"money": [("asked", 0, None)], "others": []}
