"""start_rebuild: the next generation, from the tables that the last one was given."""

from __future__ import annotations

from support.generation_rows import happen, make, row, schemas
from support.sql_calls import Connection, Others, call, heard, wait_until_blocked


def test_it_is_built_beside_what_serves(connection: Connection) -> None:
    make(connection, version=3)
    happen(connection, 2)

    assert call(connection, "start_rebuild", "money") == [(2, True)]
    assert row(connection, "state", "version", "position", generation=2) == ("building", 3, 0)
    assert schemas(connection) == ["money", "money__1", "money__2"]
    assert connection.execute("select * from money__2.spend").fetchall() == []


def test_what_is_being_built_is_not_begun_again(connection: Connection) -> None:
    make(connection)

    assert [call(connection, "start_rebuild", "money") for _ in range(2)] == [
        [(2, True)],
        [(2, False)],
    ]


def test_there_is_none_of_the_name(connection: Connection) -> None:
    assert call(connection, "start_rebuild", "money") == [(None, False)]


def test_the_tables_have_the_same_owner(connection: Connection) -> None:
    for name, own in (("money", True), ("others", False)):
        make(connection, name, own_role=own)
        call(connection, "start_rebuild", name)
        assert row(connection, "role", name=name) == row(
            connection, "role", generation=2, name=name
        )


def test_the_hosts_are_told(connection: Connection, other: Connection) -> None:
    make(connection)

    assert heard(connection, "projection", other, "start_rebuild", "money") == ["money"]


def test_while_a_later_version_is_built_that_is_the_rebuild(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)

    assert call(connection, "start_rebuild", "money") == [(2, False)]


def test_who_waited_for_another_finds_what_that_one_began(
    connection: Connection, others: Others
) -> None:
    make(connection)

    with others.begin() as operator:
        assert call(operator, "start_rebuild", "money") == [(2, True)]
        late = others.later("start_rebuild", "money")
        wait_until_blocked(connection)

    assert late.result(timeout=30) == [(2, False)]
