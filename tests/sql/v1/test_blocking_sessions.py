"""blocking_sessions: who keeps the engine from its tables, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from support.sql_calls import Connection, Others

PATIENCE = 30.0


def holders(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select * from flowledger_v1.blocking_sessions()")
        return cursor.fetchall()


def until_found(connection: Connection, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The one that holds a lock; it is told of after a second."""
    deadline = monotonic() + PATIENCE
    while True:
        found = [one for one in holders(connection) if holds(one)]
        if found:
            return found[0]
        assert monotonic() < deadline, "nobody is found"


@contextmanager
def holding(database: str, statement: str) -> Generator[int]:
    """A session that has done so in a transaction that stays open; its process."""
    with psycopg.connect(database, application_name="a report") as session:
        session.execute(statement.encode())
        yield session.info.backend_pid


@pytest.mark.parametrize(
    ("statement", "relation"),
    [
        ("lock table flowledger.log_lock in share update exclusive mode", "flowledger.log_lock"),
        ("lock table flowledger.queue in access exclusive mode", "flowledger.queue"),
        ("select from flowledger.shard for update", "flowledger.shard"),
    ],
)
def test_a_lock_that_nobody_waits_for_just_now_is_told(
    connection: Connection, database: str, statement: str, relation: str
) -> None:
    with holding(database, statement) as pid:
        found = until_found(connection, lambda one: True)

    assert (found["pid"], found["application"], found["relation"]) == (pid, "a report", relation)
    assert found["state"] == "idle in transaction"
    assert found["since"] is not None
    assert found["mode"].endswith("Lock")
    assert holders(connection) == []


def test_a_row_that_somebody_waits_for_is_told_with_how_many_wait(
    connection: Connection, database: str, others: Others
) -> None:
    with holding(database, "update flowledger.shard set epoch = epoch") as pid:
        waits = others.later("make_shard_leaders_reload")
        found = until_found(connection, lambda one: one["waiting"] == 1)

    assert (found["pid"], found["relation"]) == (pid, "flowledger.shard")
    assert found["waiting_since"] is not None
    waits.result(PATIENCE)


def test_what_locks_no_table_of_the_engine_is_not_told(
    connection: Connection, database: str
) -> None:
    connection.execute("create table public.other (n integer)")
    with (
        holding(database, "lock table public.other in access exclusive mode"),
        holding(database, "lock table flowledger.queue in access exclusive mode") as pid,
    ):
        until_found(connection, lambda one: one["pid"] == pid)

        assert [one["pid"] for one in holders(connection)] == [pid]
