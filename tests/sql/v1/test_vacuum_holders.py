"""vacuum_holders: who keeps dead rows from being taken away, as far as who asks may see it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from support.logins import Connection as LoginConnection
from support.logins import Logins, logins_on, name_of
from support.postgres_server import PostgresServer
from support.sql_calls import Connection


def holders(connection: psycopg.Connection[Any], patience: float = 0.0) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select * from flowledger_v1.vacuum_holders(%s)", (patience,))
        return cursor.fetchall()


@pytest.fixture
def logins(database: str) -> Generator[Logins]:
    with logins_on(database) as found:
        yield found


def begin(url: str) -> LoginConnection:
    """A transaction that holds a snapshot, or has written, until it is closed."""
    session = psycopg.connect(url, application_name="a report")
    session.execute("set transaction isolation level repeatable read")
    session.execute("select 1")
    return session


def test_a_transaction_is_told_with_its_session_and_since_when(
    connection: Connection, database: str
) -> None:
    with begin(database) as session:
        (found,) = holders(connection)

        assert (found["kind"], found["pid"]) == ("session", session.info.backend_pid)
        assert (found["application"], found["state"]) == ("a report", "idle in transaction")
        assert found["since"] is not None
        assert holders(connection, 3600.0) == []
    assert holders(connection) == []


def test_one_that_has_written_is_told_though_it_holds_no_snapshot(
    connection: Connection, database: str
) -> None:
    connection.execute("create table written (n integer)")
    with psycopg.connect(database) as session:
        session.execute("insert into written values (1)")
        for _ in range(3):
            connection.execute("insert into written values (2)")

        (found,) = holders(connection)

        assert found["transactions"] >= 3


def test_sessions_that_the_login_may_not_look_into_are_counted_as_hidden(
    connection: Connection, database: str, logins: Logins
) -> None:
    few = logins.new("flowledger_reader")
    with begin(database) as session, psycopg.connect(few, autocommit=True) as reader:
        ours = session.info.user
        (hidden,) = holders(reader)
        assert (hidden["kind"], hidden["login"], hidden["since"]) == ("hidden", ours, None)
        assert hidden["sessions"] >= 1

        connection.execute(f"grant pg_read_all_stats to {name_of(few)}".encode())

        (seen,) = holders(reader)
        assert (seen["kind"], seen["pid"]) == ("session", session.info.backend_pid)
        assert holders(reader, 3600.0) == []


def test_sessions_of_other_databases_hold_nothing_back(connection: Connection, server: str) -> None:
    with begin(server):
        assert holders(connection) == []


def test_prepared_transactions_and_slots_that_nobody_uses_are_told(
    postgres_server: PostgresServer,
) -> None:
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute("alter system set max_prepared_transactions = 2")
        admin.execute("alter system set wal_level = logical")
    postgres_server.crash()
    with psycopg.connect(postgres_server.start(), autocommit=True) as admin:
        admin.execute("select pg_create_logical_replication_slot('copies', 'pgoutput')")
        admin.execute("begin; create table t (n integer); prepare transaction 'half'")

        prepared, slot = holders(admin)

        assert (prepared["kind"], prepared["name"]) == ("prepared", "half")
        assert prepared["since"] is not None
        assert (slot["kind"], slot["name"], slot["state"]) == ("slot", "copies", "unused")
        admin.execute("rollback prepared 'half'")
        admin.execute("select pg_drop_replication_slot('copies')")
        assert holders(admin) == []
