"""projections_without_tables: what a host has the code of, and the database no tables."""

from __future__ import annotations

from support.generation_rows import later, make
from support.sql_calls import Connection, call, new_id


def attend(connection: Connection, versions: str, pid: int = 7) -> None:
    call(connection, "heartbeat_projection_host", new_id(), "server", pid, 60.0, versions)


def found(connection: Connection) -> list[tuple[object, ...]]:
    return [row[:3] for row in call(connection, "projections_without_tables")]


def test_what_has_no_tables_is_named_once_with_the_host_that_is_there_longest(
    connection: Connection,
) -> None:
    make(connection)
    attend(connection, "dd:1,money:1")
    later(connection, 1)
    attend(connection, "dd:1,ee:2", pid=8)

    assert found(connection) == [("dd", "server", 7), ("ee", "server", 8)]


def test_another_version_of_what_has_tables_is_none(connection: Connection) -> None:
    make(connection, version=2)
    attend(connection, "money:1")
    attend(connection, "")

    assert found(connection) == []


def test_a_host_that_is_gone_has_nothing(connection: Connection) -> None:
    attend(connection, "dd:1")
    later(connection, 61)

    assert found(connection) == []
