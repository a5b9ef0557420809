"""request_parked_retry: an operator has parked tasks tried again."""

from __future__ import annotations

import psycopg

from support.sql_calls import Connection, call, heard, new_id, table

TASK, OTHER = new_id(), new_id()


def park(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "park_tasks", 0, 1, 0, [TASK, OTHER], ["one", "two"])


def wanted(connection: Connection) -> set[object]:
    return {task for task, asked in table(connection, "parked_task", "task_id", "wanted") if asked}


def test_all_parked_tasks_are_wanted_where_none_is_named(connection: Connection) -> None:
    park(connection)

    assert set(call(connection, "request_parked_retry")) == {TASK, OTHER}

    assert wanted(connection) == {TASK, OTHER}


def test_of_those_that_are_named_the_parked_ones_are(connection: Connection) -> None:
    park(connection)

    assert call(connection, "request_parked_retry", [TASK, new_id()]) == [TASK]

    assert wanted(connection) == {TASK}


def test_the_coordinators_are_woken(connection: Connection, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as listening:
        told = heard(connection, "clock", listening, "request_parked_retry")

    assert told == [""]
