"""append_one: one event, for who has locked the step."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, Row, append, call, log, new_id


def append_one(connection: Connection, version: int, stream: object) -> None:
    call(connection, "append_one", stream, version, "step.completed", b"x", new_id(), 0, "fact")


def test_it_appends_behind_what_is_there(connection: Connection) -> None:
    stream = new_id()
    append(connection, Row(stream))

    append_one(connection, 2, stream)

    assert log(connection) == [(stream, 1), (stream, 2)]


@pytest.mark.parametrize("version", [1, 3])
def test_any_other_version_is_refused(connection: Connection, version: int) -> None:
    stream = new_id()
    append(connection, Row(stream))

    with pytest.raises(psycopg.DatabaseError) as caught:
        append_one(connection, version, stream)

    assert caught.value.sqlstate == "FL009"
    assert log(connection) == [(stream, 1)]
