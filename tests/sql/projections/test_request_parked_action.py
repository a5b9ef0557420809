"""request_parked_action: what an operator wants of parked events."""

from __future__ import annotations

from typing import Any

import pytest

from support.generation_rows import make, park
from support.sql_calls import Connection, call, heard, new_id, table

ONE, TWO = new_id(), new_id()


@pytest.fixture(autouse=True)
def _parked(connection: Connection) -> None:
    """Two events of one task are put aside, and one of another."""
    make(connection)
    park(connection, 3, 5, task=ONE)
    park(connection, 7, task=TWO)


def wanted(connection: Connection) -> list[Any]:
    return table(connection, "parked_event", "position", "requested_action")


def test_all_are_wanted(connection: Connection) -> None:
    assert call(connection, "request_parked_action", "money", "retry", None, None) == [3]
    assert wanted(connection) == [(3, "retry"), (5, "retry"), (7, "retry")]


def test_those_of_a_task_are_wanted(connection: Connection) -> None:
    assert call(connection, "request_parked_action", "money", "drop", ONE, None) == [2]
    assert wanted(connection) == [(3, "drop"), (5, "drop"), (7, None)]


def test_one_is_wanted(connection: Connection) -> None:
    assert call(connection, "request_parked_action", "money", "retry", None, 5) == [1]
    assert wanted(connection) == [(3, None), (5, "retry"), (7, None)]


def test_what_was_dropped_is_not_wanted_any_more(connection: Connection) -> None:
    call(connection, "request_parked_action", "money", "drop", TWO, None)
    call(connection, "record_parked_outcomes", "money", 1, [7], [], "")

    assert call(connection, "request_parked_action", "money", "retry", None, None) == [2]
    assert wanted(connection)[2] == (7, "dropped")


def test_what_another_projection_parked_is_left_alone(connection: Connection) -> None:
    assert call(connection, "request_parked_action", "others", "retry", None, None) == [0]


def test_the_hosts_are_told(connection: Connection, other: Connection) -> None:
    told = heard(
        connection, "projection", other, "request_parked_action", "money", "retry", None, None
    )

    assert told == ["money"]


def test_what_was_skipped_is_wanted_by_its_position_only(connection: Connection) -> None:
    connection.execute("update flowledger.parked_event set skipped_at = now() where position = 5")

    assert call(connection, "request_parked_action", "money", "retry", None, None) == [2]
    assert call(connection, "request_parked_action", "money", "retry", ONE, None) == [1]
    assert call(connection, "request_parked_action", "money", "retry", None, 5) == [1]
