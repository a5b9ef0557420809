"""ensure_projection_role: a role for each projection of a database, which may write nowhere
else."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest
from psycopg import sql

from support.sql_calls import Connection, Others, call, wait_until_blocked


@pytest.fixture
def plain(connection: Connection) -> Generator[str]:
    """The session is somebody's who may not make roles."""
    (pid,) = connection.execute("select pg_backend_pid()").fetchone() or (0,)
    name = f"flowledger_plain_{pid}"
    role = sql.Identifier(name)
    connection.execute(sql.SQL("create role {}").format(role))
    connection.execute(sql.SQL("grant usage on schema flowledger to {}").format(role))
    connection.execute(
        sql.SQL("grant execute on function flowledger.ensure_projection_role to {}").format(role)
    )
    connection.execute(sql.SQL("set role {}").format(role))
    yield name
    connection.execute("reset role")
    connection.execute(sql.SQL("drop owned by {}").format(role))
    connection.execute(sql.SQL("drop role {}").format(role))


def test_the_role_is_made_once(connection: Connection) -> None:
    first = call(connection, "ensure_projection_role", "money")

    assert call(connection, "ensure_projection_role", "money") == first
    assert first[0].startswith("flowledger_p_")


def test_projections_have_different_roles(connection: Connection) -> None:
    assert call(connection, "ensure_projection_role", "a") != call(
        connection, "ensure_projection_role", "b"
    )


def test_nobody_can_log_in_as_it(connection: Connection) -> None:
    (role,) = call(connection, "ensure_projection_role", "money")

    found = connection.execute(
        "select rolcanlogin, rolsuper, rolcreaterole from pg_roles where rolname = %s", (role,)
    ).fetchone()
    assert found == (False, False, False)


def test_of_two_that_make_it_at_once_both_have_it(connection: Connection, others: Others) -> None:
    with others.begin() as first:
        role = call(first, "ensure_projection_role", "money")
        second = others.later("ensure_projection_role", "money")
        wait_until_blocked(connection)

    assert second.result(timeout=30) == role


def test_who_may_not_make_roles_is_told_what_an_administrator_does(
    connection: Connection, plain: str
) -> None:
    with pytest.raises(psycopg.DatabaseError, match="may not make roles") as caught:
        call(connection, "ensure_projection_role", "never_made")

    assert caught.value.sqlstate == "FL008"
    assert f'to "{plain}"' in str(caught.value)


def test_who_may_not_make_roles_uses_one_that_an_administrator_made(
    connection: Connection, plain: str
) -> None:
    with pytest.raises(psycopg.DatabaseError) as caught:
        call(connection, "ensure_projection_role", "granted")
    said = str(caught.value.diag.message_primary)
    connection.execute("reset role")
    connection.execute(said.partition("administrator run: ")[2].encode())
    connection.execute(sql.SQL("set role {}").format(sql.Identifier(plain)))

    assert call(connection, "ensure_projection_role", "granted")[0].startswith("flowledger_p_")
