"""append_per_stream: each stream all or none; one that moved refuses only itself."""

from __future__ import annotations

from uuid import UUID

import pytest

from support.sql_calls import (
    Connection,
    Others,
    Row,
    append,
    call,
    columns,
    heard,
    log,
    new_id,
    wait_until_blocked,
)


def facts(connection: Connection, *rows: Row) -> set[UUID]:
    (refused,) = call(connection, "append_per_stream", *columns(rows), "fact")
    return set(refused)


def test_facts_are_stored_and_nothing_is_refused(connection: Connection) -> None:
    one, other = Row(new_id()), Row(new_id())

    assert facts(connection, one, other, one.at(2)) == set()
    assert log(connection) == [(one.stream, 1), (other.stream, 1), (one.stream, 2)]


def test_nothing_to_append_is_no_error(connection: Connection) -> None:
    assert facts(connection) == set()


def test_one_refused_of_a_hundred_leaves_the_others_stored_in_their_order(
    connection: Connection,
) -> None:
    rows = [Row(new_id(), state=str(n).encode()) for n in range(100)]
    append(connection, rows[42].at(1, state=b"someone else"))

    assert facts(connection, *rows) == {rows[42].stream}

    stored = connection.execute(
        "select state from flowledger.event order by notification_id"
    ).fetchall()
    others = [row.state for row in rows if row is not rows[42]]
    assert [state for (state,) in stored] == [b"someone else", *others]


def test_a_refused_stream_stores_none_of_its_facts(connection: Connection) -> None:
    row = Row(new_id())
    append(connection, row.at(1, state=b"x"))

    assert facts(connection, row, row.at(2), row.at(3)) == {row.stream}
    assert log(connection) == [(row.stream, 1)]


@pytest.mark.parametrize("gap", [2, 5])
def test_what_builds_on_something_never_stored_is_refused(connection: Connection, gap: int) -> None:
    row = Row(new_id(), gap)

    assert facts(connection, row) == {row.stream}
    assert log(connection) == []


def test_the_same_bytes_again_are_accepted_and_not_stored_twice(connection: Connection) -> None:
    rows = [Row(new_id(), state=b"1"), Row(new_id(), state=b"2")]
    facts(connection, *rows)

    assert facts(connection, *rows) == set()
    assert log(connection) == [(row.stream, 1) for row in rows]


def test_the_same_bytes_again_are_accepted_after_their_stream_went_on(
    connection: Connection,
) -> None:
    row = Row(new_id(), state=b"1")
    facts(connection, row)
    append(connection, row.at(2))

    assert facts(connection, row) == set()
    assert log(connection) == [(row.stream, 1), (row.stream, 2)]


def test_a_batch_may_repeat_some_and_add_others(connection: Connection) -> None:
    old, new, lost = Row(new_id()), Row(new_id()), Row(new_id())
    facts(connection, old)
    append(connection, lost.at(1, state=b"taken"))

    assert facts(connection, old, new, lost) == {lost.stream}
    assert log(connection) == [(old.stream, 1), (lost.stream, 1), (new.stream, 1)]


def test_nobody_need_hurry_for_a_start(connection: Connection, other: Connection) -> None:
    arguments = (*columns([Row(new_id())]), "start")

    assert heard(other, "fact", connection, "append_per_stream", *arguments) == []


def test_a_racing_writer_is_refused_and_not_an_error(
    connection: Connection, others: Others
) -> None:
    row = Row(new_id(), state=b"late")
    with others.begin() as first:
        append(first, row.at(1, state=b"first"))
        second = others.later("append_per_stream", *columns([row]), "fact")
        wait_until_blocked(connection)

    assert second.result(timeout=30) == [[row.stream]]
    assert log(connection) == [(row.stream, 1)]
