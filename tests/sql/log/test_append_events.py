"""append_events: all or none, in order."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import (
    Connection,
    Others,
    Row,
    append,
    columns,
    heard,
    log,
    new_id,
    wait_until_blocked,
)


def test_events_are_stored_as_they_are_in_their_order(connection: Connection) -> None:
    task, stream = new_id(), new_id()
    rows = [
        Row(stream, 1, "a", b"\0\xff", task, 1),
        Row(task, 1, "b", b"", None, 0),
        Row(stream, 2, "c", "é".encode(), task, 0),
    ]

    positions = append(connection, *rows)

    stored = connection.execute(
        "select notification_id, originator_id, originator_version, topic, state, task_id, encoding"
        " from flowledger.event order by notification_id"
    ).fetchall()
    assert positions == sorted(positions)
    assert stored == [
        (at, r.stream, r.version, r.topic, r.state, r.task, r.encoding)
        for at, r in zip(positions, rows, strict=True)
    ]


def test_nothing_to_append_is_no_error(connection: Connection) -> None:
    assert append(connection) == []


def test_one_taken_version_refuses_all(connection: Connection) -> None:
    taken, free = Row(new_id()), Row(new_id())
    append(connection, taken)

    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        append(connection, free, taken)

    assert caught.value.sqlstate == "23505"
    assert log(connection) == [(taken.stream, 1)]


def test_followers_are_told_that_there_are_facts(connection: Connection, other: Connection) -> None:
    assert heard(other, "fact", connection, "append_events", *columns([Row(new_id())])) == [""]


def test_of_two_racing_writers_of_a_version_one_wins(
    connection: Connection, others: Others
) -> None:
    row = Row(new_id())
    with others.begin() as first:
        append(first, row)
        second = others.later("append_events", *columns([row]))
        wait_until_blocked(connection)

    with pytest.raises(psycopg.errors.UniqueViolation):
        second.result(timeout=30)
    assert log(connection) == [(row.stream, 1)]


def test_positions_are_given_in_the_order_of_commits(
    connection: Connection, others: Others
) -> None:
    early, late = Row(new_id()), Row(new_id())
    with others.begin() as first:
        append(first, early)
        second = others.later("append_events", *columns([late]))
        wait_until_blocked(connection)
        assert log(connection) == []

    second.result(timeout=30)
    assert log(connection) == [(early.stream, 1), (late.stream, 1)]
