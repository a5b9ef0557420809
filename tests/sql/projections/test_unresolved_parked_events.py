"""unresolved_parked_events: what a generation put aside, and what is wanted of it, as its host
sees it.
"""

from __future__ import annotations

from support.generation_rows import make, park
from support.sql_calls import Connection, call, new_id


def test_events_come_in_the_order_of_the_log_with_what_is_wanted(connection: Connection) -> None:
    make(connection)
    task = new_id()
    park(connection, 9, 3, 5, task=task)
    call(connection, "request_parked_action", "money", "retry", None, 5)

    found = call(connection, "unresolved_parked_events", "money", 1)

    assert found == [
        (3, task, None, False),
        (5, task, "retry", False),
        (9, task, None, False),
    ]


def test_another_generation_has_its_own(connection: Connection) -> None:
    make(connection)
    park(connection, 3)

    assert call(connection, "unresolved_parked_events", "money", 2) == []


def test_what_was_dropped_is_settled(connection: Connection) -> None:
    make(connection)
    park(connection, 3)
    call(connection, "request_parked_action", "money", "drop", None, None)
    call(connection, "record_parked_outcomes", "money", 1, [3], [], "")

    assert call(connection, "unresolved_parked_events", "money", 1) == []


def test_what_was_skipped_is_there_only_while_something_is_wanted_of_it(
    connection: Connection,
) -> None:
    make(connection)
    park(connection, 3)
    connection.execute("update flowledger.parked_event set skipped_at = now()")
    assert call(connection, "unresolved_parked_events", "money", 1) == []

    call(connection, "request_parked_action", "money", "retry", None, 3)

    assert call(connection, "unresolved_parked_events", "money", 1) == [(3, None, "retry", True)]
