"""as_of: how far the log is in what a projection's answers are read from."""

from __future__ import annotations

import psycopg
import pytest

from support.read_model_rows import called
from support.sql_calls import Connection, Row, append, call, new_id


def test_it_is_the_position_and_when_the_last_event_up_to_there_was_recorded(
    connection: Connection,
) -> None:
    assert called(connection, "as_of", "flowledger_audit") == [{"position": None, "at": None}]
    for _ in range(3):
        task = new_id()
        append(connection, Row(task, 1, "task.created", b"{}", task))
    connection.execute(
        "update flowledger.projection set position = ("
        " select notification_id from flowledger.event order by 1 offset 1 limit 1)"
    )

    ((position, at),) = call(connection, "as_of", "flowledger_analytics")

    query = "select notification_id, recorded_at from flowledger.event order by 1 offset 1 limit 1"
    assert connection.execute(query).fetchone() == (position, at)
    (row,) = called(connection, "analytics")
    assert row["as_of_position"] == position
    assert row["as_of"] is not None


def test_one_that_there_is_not_is_named(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match="there is no projection 'nope'"):
        called(connection, "as_of", "nope")
