"""create_generation: the tables of a version, once, and beside those that serve."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from support.generation_rows import SPEND, advance, happen, make, row, schemas
from support.sql_calls import Connection, Others, call, wait_until_blocked


def test_the_first_generation_serves_at_once(connection: Connection) -> None:
    assert make(connection) == 1
    assert row(connection, "state", "version", "position") == ("serving", 1, 0)
    assert schemas(connection) == ["money", "money__1"]
    assert connection.execute("select * from money.spend").fetchall() == []


def test_a_version_that_serves_is_not_made_twice(connection: Connection) -> None:
    assert [make(connection), make(connection)] == [1, 1]


def test_the_next_version_is_built_beside_the_one_that_serves(connection: Connection) -> None:
    make(connection)

    assert make(connection, version=2) == 2
    assert row(connection, "state") == "serving"
    assert row(connection, "state", "position", generation=2) == ("building", 0)


def test_what_is_built_is_not_made_twice(connection: Connection) -> None:
    make(connection)

    assert [make(connection, version=2), make(connection, version=2)] == [2, 2]


def test_the_same_version_is_built_anew_only_where_that_is_asked(connection: Connection) -> None:
    make(connection)

    assert make(connection, anew=True) == 2
    assert row(connection, "state", generation=2) == "building"


def test_what_is_built_is_given_up_for_a_later_version(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)

    assert make(connection, version=3) == 3
    assert row(connection, "state", generation=2) == "retired"


def test_an_older_version_is_not_made(connection: Connection) -> None:
    make(connection, version=2)

    assert make(connection, version=1) is None
    assert schemas(connection) == ["money", "money__1"]


def test_effects_are_silent_up_to_the_end_of_the_log(connection: Connection) -> None:
    head = happen(connection, 3)

    make(connection)

    assert row(connection, "no_effects_until") == head


def test_what_is_built_beside_one_that_is_paused_is_paused(connection: Connection) -> None:
    make(connection)
    connection.execute("select flowledger.set_projection_paused('money', true)")

    make(connection, anew=True)

    assert row(connection, "paused", generation=2)


def test_a_schema_that_is_somebody_elses_is_left_alone(connection: Connection) -> None:
    connection.execute("create schema money")

    with pytest.raises(psycopg.DatabaseError, match="schema money is there already") as caught:
        make(connection)

    assert caught.value.sqlstate == "FL008"
    assert schemas(connection) == ["money"]


def test_tables_that_cannot_be_made_leave_nothing_behind(connection: Connection) -> None:
    with pytest.raises(errors.SyntaxError):
        make(connection, tables="create tabel {schema}.spend ()")

    assert schemas(connection) == []
    assert row(connection, "state") is None


def test_the_tables_are_made_by_a_role_that_may_make_them_nowhere_else(
    connection: Connection,
) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="schema flowledger"):
        make(connection, tables=f"{SPEND}; create table flowledger.spend ()")


def test_tables_without_a_schema_are_made_in_the_projections(connection: Connection) -> None:
    make(connection, tables="create table spend (cents bigint)")

    assert connection.execute("select * from money__1.spend").fetchall() == []


def test_of_two_that_make_the_same_version_at_once_one_does(
    connection: Connection, others: Others
) -> None:
    with others.begin() as first:
        make(first)
        second = others.later("create_generation", "money", 1, SPEND, False, True)
        wait_until_blocked(connection)

    assert second.result(timeout=30) == [1]
    assert schemas(connection) == ["money", "money__1"]


def test_the_numbers_of_generations_are_never_used_again(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)
    connection.execute("select flowledger.cancel_rebuilds('money')")
    connection.execute("select flowledger.drop_retired_generations('money')")

    assert make(connection, version=3) == 3


def test_a_name_keeps_its_rows_where_it_was(connection: Connection) -> None:
    make(connection)
    advance(connection, 7)

    make(connection)

    assert row(connection, "position") == 7


def test_other_code_or_other_tables_of_the_same_version_are_noted(connection: Connection) -> None:
    def create(tables: str, code: str | None) -> object:
        call(connection, "create_generation", "money", 1, tables, False, True, code)
        return row(connection, "code", "other_code")

    assert create(SPEND, "one") == ("one", None)
    assert create(SPEND, None) == ("one", None)
    assert create(f"{SPEND}; select 1", None) == ("one", None)
    assert create(SPEND, "two") == ("one", "two")
    assert row(connection, "code_changed_at") is not None
    assert create(f"{SPEND}; select 1", "one") == ("one", "one")
