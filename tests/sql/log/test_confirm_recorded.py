"""confirm_recorded: whether a commit whose answer was lost went through."""

from __future__ import annotations

from support.sql_calls import Connection, Others, Row, append, call, new_id, wait_until_blocked


def test_only_the_same_bytes_in_the_same_stream_count(connection: Connection) -> None:
    stream, other = new_id(), new_id()
    append(connection, Row(stream, 1, state=b"mine"), Row(other, 1, state=b"theirs"))

    assert call(connection, "confirm_recorded", stream, b"mine") == [True]
    assert call(connection, "confirm_recorded", stream, b"theirs") == [False]
    assert call(connection, "confirm_recorded", other, b"mine") == [False]
    assert call(connection, "confirm_recorded", new_id(), b"mine") == [False]


def test_it_waits_for_a_commit_that_is_under_way(connection: Connection, others: Others) -> None:
    stream = new_id()
    with others.begin() as writing:
        append(writing, Row(stream, 1, state=b"mine"))
        asked = others.later("confirm_recorded", stream, b"mine")
        wait_until_blocked(connection)

    assert asked.result(timeout=30) == [True]
