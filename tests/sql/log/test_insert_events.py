"""insert_events: as they are, in their order; the caller holds the lock."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, Row, call, columns, heard, log, new_id


def test_positions_come_back_in_the_order_of_the_events(connection: Connection) -> None:
    rows = [Row(new_id()) for _ in range(50)]

    positions = call(connection, "insert_events", *columns(rows), "fact")

    assert positions == list(range(positions[0], positions[0] + 50))
    assert log(connection) == [(row.stream, 1) for row in rows]


def test_a_taken_version_stores_nothing(connection: Connection) -> None:
    row = Row(new_id())

    with pytest.raises(psycopg.errors.UniqueViolation):
        call(connection, "insert_events", *columns([Row(new_id()), row, row]), "fact")

    assert log(connection) == []


@pytest.mark.parametrize("kind", ["fact", "start", "decision"])
def test_nobody_hears_of_it_by_its_kind(
    connection: Connection, other: Connection, kind: str
) -> None:
    arguments = (*columns([Row(new_id())]), kind)

    assert heard(other, "log", connection, "insert_events", *arguments) == []


@pytest.mark.parametrize("kind", ["start", "decision"])
def test_coordinators_are_woken_by_facts_alone(
    connection: Connection, other: Connection, kind: str
) -> None:
    other.execute('listen "flowledger.fact"')
    call(connection, "insert_events", *columns([Row(new_id())]), kind)
    fact = (*columns([Row(new_id())]), "fact")

    assert heard(other, "fact", connection, "insert_events", *fact) == [""]
    assert list(other.notifies(timeout=0, stop_after=1)) == []
