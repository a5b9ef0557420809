"""conflicting_streams: which streams do not stand where the batch believes."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, Row, append, call, columns, new_id


def refused(connection: Connection, *rows: Row) -> dict[object, bool]:
    streams, versions, _, states, _, _ = columns(rows)
    return dict(call(connection, "conflicting_streams", streams, versions, states))


def test_a_new_stream_begins_at_one(connection: Connection) -> None:
    assert refused(connection, Row(new_id(), 1), Row(new_id(), 1)) == {}


@pytest.mark.parametrize(
    ("stands_at", "version", "moved"),
    [(0, 2, True), (1, 1, True), (1, 2, False), (1, 3, True), (3, 2, True), (3, 4, False)],
)
def test_a_stream_goes_on_at_its_next_version_alone(
    connection: Connection, stands_at: int, version: int, moved: bool
) -> None:
    row = Row(new_id(), state=b"batch")
    append(connection, *(row.at(n, state=b"stored") for n in range(1, stands_at + 1)))

    assert refused(connection, row.at(version)) == ({row.stream: False} if moved else {})


def test_events_may_come_in_any_order_within_the_batch(connection: Connection) -> None:
    row = Row(new_id())

    assert refused(connection, row.at(2), row.at(1)) == {}


def test_a_gap_within_the_batch_is_refused(connection: Connection) -> None:
    row = Row(new_id())

    assert refused(connection, row.at(1), row.at(3)) == {row.stream: False}


def test_what_is_stored_byte_for_byte_is_known_as_such(connection: Connection) -> None:
    same, differs, partly = Row(new_id(), state=b"1"), Row(new_id()), Row(new_id(), state=b"1")
    append(connection, same, differs.at(1, state=b"x"), partly)

    found = refused(connection, same, differs, partly, partly.at(2, state=b"2"))

    assert found == {same.stream: True, differs.stream: False, partly.stream: False}
