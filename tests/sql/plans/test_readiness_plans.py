"""What is asked of one task costs what that task is large, however many others there are."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from flowledger.engine.domain.deterministic_ids import milliseconds, step_id, uuid7
from support.builders import NOON, diamond
from support.databases import database_on
from support.limits import NO_DEMAND
from support.query_plans import prepared
from support.sql_calls import (
    Connection,
    call,
    call_public,
    queue,
    queue_row,
    rows_of,
    step_row,
    task_row,
)
from support.stored_tasks import register

TASKS, TEMPLATES = 4_000, 200
STEPS = ("start", "left", "right", "end")
PAST_THE_SIXTH = 8
TABLES = ("task", "step", "template_step", "queue", "waiting_step")


@pytest.fixture(scope="module")
def many(server: str, template: str) -> Generator[tuple[Connection, Sequence[UUID]]]:
    """A connection to a database with many tasks, analyzed, and the tasks. For reading."""
    name = f"{template}_many_tasks"
    with (
        database_on(server, name, template) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        tasks = fill(connection)
        connection.execute("analyze")
        yield connection, tasks


def fill(connection: Connection) -> Sequence[UUID]:
    """Every task has completed its first step; its second is queued, its third held."""
    flows = [diamond().model_copy(update={"version": str(n)}) for n in range(TEMPLATES)]
    templates = [register(connection, flow) for flow in flows]
    at = milliseconds(NOON)
    tasks = {uuid7(at + n // 5, n % 5 << 62 | n): templates[n % TEMPLATES] for n in range(TASKS)}
    call(connection, "upsert_tasks", rows_of(task_row(*each) for each in tasks.items()))
    steps = [step_row(task, "start", state="complete") for task in tasks]
    steps += [step_row(task, "left", state="enqueued") for task in tasks]
    call(connection, "upsert_steps", rows_of(steps))
    queue(connection, *(queue_row(*each, "left", sort_key=1.0) for each in tasks.items()))
    call(connection, "store_waiting_steps", rows_of(map(waiting_row, tasks)))
    return list(tasks)


def waiting_row(task: UUID) -> dict[str, Any]:
    row = {"step_id": step_id(task, "right"), "task_id": task, "step": "right", "kind": "slot"}
    return {
        **row,
        "limit_key": "k",
        "sort_key": 0.0,
        "since": NOON,
        "until": None,
        "demand": NO_DEMAND,
    }


@pytest.fixture
def asked(many: tuple[Connection, Sequence[UUID]], mode: str) -> tuple[Connection, UUID]:
    connection, tasks = many
    connection.execute(f"set plan_cache_mode = {mode}".encode())
    return connection, tasks[TASKS // 2]


def scans(connection: Connection, column: str) -> int:
    """What the statistics say of the tables together."""
    connection.execute("select pg_stat_force_next_flush()")
    query = sql.SQL(
        "select sum({})::integer from pg_stat_user_tables"
        " where schemaname = 'flowledger' and relname = any (%s)"
    ).format(sql.Identifier(column))
    row = connection.execute(query, (list(TABLES),)).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def test_what_is_inlined_reads_indexes_only(asked: tuple[Connection, UUID]) -> None:
    connection, task = asked
    query = "select * from flowledger.step_readiness($1)"

    plan = prepared(connection, query, ["uuid"], [task], PAST_THE_SIXTH)

    assert "Seq Scan" not in plan
    assert "task_pkey" in plan
    assert "template_step_pkey" in plan
    assert "Function Scan" not in plan


@pytest.mark.parametrize(
    ("function", "rows", "fetched"),
    [
        ("step_readiness", 4, 23),
        ("task_execution_context", 1, 43),
        ("transitive_dependencies", 3, 25),
        ("task_summary", 1, 81),
        ("dependency_levels", 4, 7),
    ],
)
def test_a_task_is_looked_at_in_a_few_rows(
    asked: tuple[Connection, UUID], function: str, rows: int, fetched: int
) -> None:
    connection, task = asked
    arguments = [task, "end"] if function == "transitive_dependencies" else [task]
    connection.execute("select pg_stat_force_next_flush()")
    connection.execute("select pg_stat_reset()")

    for _ in range(PAST_THE_SIXTH):
        assert len(call_public(connection, function, *arguments)) == rows

    assert scans(connection, "seq_scan") == 0
    assert scans(connection, "idx_tup_fetch") <= PAST_THE_SIXTH * fetched


def test_the_tasks_at_the_front_are_found_without_those_behind(
    asked: tuple[Connection, UUID],
) -> None:
    connection, _ = asked
    connection.execute("select pg_stat_force_next_flush()")
    connection.execute("select pg_stat_reset()")

    for _ in range(PAST_THE_SIXTH):
        assert len(call_public(connection, "ready_tasks", 5)) == 5

    assert scans(connection, "seq_scan") == 0
    # A cursor fetches ten rows at first and then fifty; tasks may share their millisecond.
    assert scans(connection, "idx_tup_fetch") < PAST_THE_SIXTH * 1_000
