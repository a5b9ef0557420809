"""unapplied_event_positions: what a generation has passed and does not have in its rows."""

from __future__ import annotations

from support.generation_rows import make, park
from support.sql_calls import Connection, call


def test_what_was_put_aside_is_told_even_when_it_was_dropped(connection: Connection) -> None:
    make(connection)
    park(connection, 3, 5)
    call(connection, "request_parked_action", "money", "drop", None, 5)
    call(connection, "record_parked_outcomes", "money", 1, [5], [], "")

    assert sorted(call(connection, "unapplied_event_positions", "money", 1)) == [3, 5]


def test_what_was_retried_is_in_the_rows(connection: Connection) -> None:
    make(connection)
    park(connection, 3)
    call(connection, "request_parked_action", "money", "retry", None, None)
    call(connection, "record_parked_outcomes", "money", 1, [3], [], "")

    assert call(connection, "unapplied_event_positions", "money", 1) == []
