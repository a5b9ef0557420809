"""refuse_log_change: the log is append-only."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, Row, append, log, new_id


@pytest.mark.parametrize(
    ("statement", "operation"),
    [
        ("update flowledger.event set topic = 'x'", "UPDATE"),
        ("update flowledger.event set topic = 'x' where false", "UPDATE"),
        ("delete from flowledger.event", "DELETE"),
        ("truncate flowledger.event", "TRUNCATE"),
        (
            "insert into flowledger.event (originator_id, originator_version, topic, state)"
            " select originator_id, 1, 'x', '' from flowledger.event"
            " on conflict (originator_id, originator_version) do update set topic = 'x'",
            "UPDATE",
        ),
    ],
)
def test_what_was_recorded_stays(connection: Connection, statement: str, operation: str) -> None:
    row = Row(new_id())
    append(connection, row)

    with pytest.raises(psycopg.DatabaseError, match=f"{operation} is refused") as caught:
        connection.execute(statement.encode())

    assert caught.value.sqlstate == "FL001"
    assert log(connection) == [(row.stream, 1)]
