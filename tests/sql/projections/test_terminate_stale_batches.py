"""terminate_stale_batches: who leads a generation ends the batches of those who led it before."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from support.generation_rows import lead, make
from support.sql_calls import Connection, call


def stands(connection: Connection) -> bool:
    try:
        connection.execute("select")
    except psycopg.errors.AdminShutdown:
        return False
    return True


def begin(connection: Connection, name: str = "money", generation: int = 1) -> None:
    connection.execute("begin")
    connection.execute("lock table flowledger.projection in row share mode")
    table = sql.Identifier(f"{name}__{generation}", "spend")
    connection.execute(sql.SQL("insert into {} values ('ann', 1)").format(table))


def test_who_is_in_a_batch_is_ended_and_its_locks_are_free(
    connection: Connection, other: Connection
) -> None:
    make(connection)
    epoch = lead(connection)
    begin(other)

    assert call(connection, "terminate_stale_batches", "money", 1, epoch) == [1]

    assert not stands(other)
    connection.execute("insert into money__1.spend values ('ann', 2)")


@pytest.mark.parametrize(("name", "generation"), [("money", 2), ("others", 1)])
def test_batches_of_other_generations_go_on(
    connection: Connection, other: Connection, name: str, generation: int
) -> None:
    make(connection)
    epoch = lead(connection)
    make(connection, version=2)
    make(connection, name="others")
    begin(other, name, generation)

    assert call(connection, "terminate_stale_batches", "money", 1, epoch) == [0]

    assert stands(other)


def test_a_batch_that_was_committed_is_none(connection: Connection, other: Connection) -> None:
    make(connection)
    epoch = lead(connection)
    begin(other)
    other.execute("commit")

    assert call(connection, "terminate_stale_batches", "money", 1, epoch) == [0]


def test_who_does_not_lead_any_more_ends_nobody(connection: Connection, other: Connection) -> None:
    make(connection)
    epoch = lead(connection)
    begin(other)

    assert call(connection, "terminate_stale_batches", "money", 1, epoch - 1) == [0]

    assert stands(other)


@pytest.mark.parametrize(
    "statement", ["lock table money__1.spend", "insert into money__1.spend values ('ann', 1)"]
)
def test_people_who_lock_or_change_the_tables_go_on(
    connection: Connection, other: Connection, statement: LiteralString
) -> None:
    make(connection)
    epoch = lead(connection)
    other.execute("begin")
    other.execute(statement)

    assert call(connection, "terminate_stale_batches", "money", 1, epoch) == [0]

    assert stands(other)


def test_whom_the_caller_may_not_end_goes_on(connection: Connection, other: Connection) -> None:
    make(connection)
    epoch = lead(connection)
    begin(other)
    connection.execute("grant usage on schema flowledger to pg_database_owner")
    connection.execute("grant select on flowledger.projection to pg_database_owner")
    connection.execute(
        "grant execute on function flowledger.terminate_stale_batches to pg_database_owner"
    )
    connection.execute("set role pg_database_owner")

    assert call(connection, "terminate_stale_batches", "money", 1, epoch) == [0]

    assert stands(other)
