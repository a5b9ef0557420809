"""task_execution_contexts: several tasks as each of them is."""

from __future__ import annotations

from support.builders import diamond, step, template
from support.sql_calls import Connection, call, call_public
from support.stored_tasks import given_task, submitted


def test_tasks_are_told_in_the_order_in_which_they_are_given(connection: Connection) -> None:
    first = given_task(connection, diamond(), {"step": "start", "state": "complete"})
    second = given_task(connection, template(step("a"), name="other"))

    rows = call_public(
        connection, "task_execution_contexts", [second, submitted(connection), first]
    )

    assert [row[0] for row in rows] == [second, first]
    assert rows == [
        row for task in (second, first) for row in call(connection, "task_execution_context", task)
    ]


def test_no_tasks_have_no_contexts(connection: Connection) -> None:
    assert call_public(connection, "task_execution_contexts", []) == []
