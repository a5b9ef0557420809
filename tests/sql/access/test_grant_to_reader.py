"""grant_to_reader: a role that reads what is public, and nothing else."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.sql_calls import Connection, Others, call, wait_until_blocked

OTHER = "flowledger_other_reader"


@pytest.fixture
def opens(connection: Connection) -> Generator[str]:
    """The same function for a role that nobody has made yet; roles are the server's."""
    row = connection.execute("select pg_backend_pid(), current_database()").fetchone()
    assert row is not None
    role = f"{OTHER}_{row[0]}"
    define(connection, role)
    yield role
    if connection.execute("select to_regrole(%s) is not null", (role,)).fetchone() == (True,):
        for command in ("drop owned by {}", "drop role {}"):
            connection.execute(sql.SQL(command).format(sql.Identifier(role)))


def define(connection: Connection, role: str) -> None:
    body = connection.execute(
        "select replace(replace(pg_get_functiondef('flowledger.grant_to_reader'::regproc),"
        " 'flowledger_reader', %s), 'grant_to_reader', 'open_to_other')",
        (role,),
    ).fetchone()
    assert body is not None
    connection.execute(body[0].encode())


def can_read(connection: Connection, role: str) -> Any:
    row = connection.execute(
        "select has_table_privilege(%s, 'flowledger_v1.tasks', 'select')", (role,)
    ).fetchone()
    return row and row[0]


def test_the_role_is_made_where_it_is_missing(connection: Connection, opens: str) -> None:
    assert call(connection, "open_to_other") == [True]
    assert can_read(connection, opens)


def test_it_may_be_called_again(connection: Connection) -> None:
    assert call(connection, "grant_to_reader") == [True]
    assert can_read(connection, "flowledger_reader")


def test_whoever_makes_the_role_second_finds_it_made(
    connection: Connection, others: Others, opens: str
) -> None:
    with others.begin() as first:
        call(first, "open_to_other")
        second = others.later("open_to_other")
        wait_until_blocked(connection)

    assert second.result(timeout=30) == [True]
    assert can_read(connection, opens)


def test_who_may_not_make_roles_is_told(connection: Connection, opens: str) -> None:
    plain = sql.Identifier(f"{opens}_maker")
    connection.execute(sql.SQL("create role {}").format(plain))
    connection.execute(sql.SQL("grant usage on schema flowledger to {}").format(plain))
    try:
        connection.execute(sql.SQL("set role {}").format(plain))
        assert call(connection, "open_to_other") == [False]
    finally:
        connection.execute("reset role")
        connection.execute(sql.SQL("drop owned by {}").format(plain))
        connection.execute(sql.SQL("drop role {}").format(plain))


def test_what_is_added_later_is_readable_too(connection: Connection) -> None:
    connection.execute("create view flowledger_v1.later as select 1 as one")

    connection.execute("set role flowledger_reader")

    assert connection.execute("select one from flowledger_v1.later").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "query",
    [
        "select * from flowledger.event",
        "select * from flowledger.task",
        "select flowledger.clock()",
        "select flowledger.advance_test_clock('1 day')",
        "update flowledger_v1.templates set paused = true",
        "delete from flowledger_v1.timers",
        "create view flowledger_v1.mine as select 1 as one",
    ],
)
def test_the_reader_can_do_nothing_else(connection: Connection, query: str) -> None:
    connection.execute("set role flowledger_reader")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(query.encode())
