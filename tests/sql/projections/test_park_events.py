"""park_events: events are put aside, each once."""

from __future__ import annotations

from support.generation_rows import park
from support.sql_calls import Connection, new_id, table


def test_events_are_kept_with_their_task_and_what_was_said(connection: Connection) -> None:
    task = new_id()

    park(connection, 3, 9, task=task)

    rows = table(
        connection, "parked_event", "generation", "position", "task_id", "error", "requested_action"
    )
    assert rows == [(1, 3, task, "broken", None), (1, 9, task, "broken", None)]


def test_an_event_of_no_task_can_be_put_aside(connection: Connection) -> None:
    park(connection, 3)

    assert table(connection, "parked_event", "position", "task_id") == [(3, None)]


def test_what_is_parked_is_not_parked_again(connection: Connection) -> None:
    park(connection, 3)
    park(connection, 3, task=new_id())

    assert table(connection, "parked_event", "task_id") == [None]
