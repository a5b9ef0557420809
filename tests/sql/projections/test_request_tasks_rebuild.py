"""request_tasks_rebuild: the wish that some tasks are built anew, which a host hears."""

from __future__ import annotations

from support.sql_calls import Connection, call, heard, new_id, table


def test_it_is_noted_with_a_number_of_its_own(connection: Connection) -> None:
    task, template = new_id(), new_id()

    numbers = [
        call(connection, "request_tasks_rebuild", "money", task, None)[0],
        call(connection, "request_tasks_rebuild", "money", None, template)[0],
    ]

    rows = table(connection, "projection_rebuild", "rebuild", "task_id", "template_id", "state")
    assert rows == [(numbers[0], task, None, "asked"), (numbers[1], None, template, "asked")]


def test_the_hosts_are_told(connection: Connection, other: Connection) -> None:
    assert heard(
        connection, "projection", other, "request_tasks_rebuild", "money", new_id(), None
    ) == ["money"]
