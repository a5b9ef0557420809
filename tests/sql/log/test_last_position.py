"""last_position: the last position of the log."""

from __future__ import annotations

from support.generation_rows import happen
from support.sql_calls import Connection, call


def test_an_empty_log_ends_at_zero(connection: Connection) -> None:
    assert call(connection, "last_position") == [0]


def test_the_log_ends_at_its_last_event(connection: Connection) -> None:
    last = happen(connection, 3)

    assert call(connection, "last_position") == [last]
