"""record_parked_outcomes: what came of parked events that an operator asked for."""

from __future__ import annotations

from typing import Any

from support.generation_rows import make, park
from support.sql_calls import Connection, call, table


def parked(connection: Connection) -> list[Any]:
    return table(connection, "parked_event", "position", "requested_action", "error")


def want(connection: Connection, wanted: str, position: int) -> None:
    call(connection, "request_parked_action", "money", wanted, None, position)


def test_what_was_applied_goes(connection: Connection) -> None:
    make(connection)
    park(connection, 3, 5)
    want(connection, "retry", 3)

    call(connection, "record_parked_outcomes", "money", 1, [3], [], "")

    assert parked(connection) == [(5, None, "broken")]


def test_what_was_dropped_stays_as_such(connection: Connection) -> None:
    make(connection)
    park(connection, 3)
    want(connection, "drop", 3)

    call(connection, "record_parked_outcomes", "money", 1, [3], [], "")

    assert parked(connection) == [(3, "dropped", "broken")]


def test_what_failed_again_stays_with_what_was_said(connection: Connection) -> None:
    make(connection)
    park(connection, 3)
    want(connection, "retry", 3)

    call(connection, "record_parked_outcomes", "money", 1, [], [3], "broken again")

    assert parked(connection) == [(3, None, "broken again")]


def test_another_generation_is_left_alone(connection: Connection) -> None:
    make(connection)
    park(connection, 3)
    want(connection, "retry", 3)

    call(connection, "record_parked_outcomes", "money", 2, [3], [], "")

    assert parked(connection) == [(3, "retry", "broken")]
