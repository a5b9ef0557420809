"""What the public functions read does not grow with the number of tasks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from support.databases import database_on
from support.query_plans import tasks as tasks_of_the_log
from support.sql_calls import Connection

FEW, MANY = 200, 20_000
PAST_THE_SIXTH = 8
MORE_LEVELS = 16
"""Pages that the inner levels of larger indexes may add, over all look-ups."""

FILL = """
insert into flowledger.template (
    template_id, namespace, name, version, definition_hash, definition, registered_at
)
values (
    '00000000-0000-8000-8000-000000000001', 'shop', 'order', '1', '',
    '{{"steps": [{{"name": "a", "dependencies": []}}, {{"name": "b", "dependencies": ["a"]}}]}}',
    now()
);
select flowledger.store_template_steps('00000000-0000-8000-8000-000000000001');
insert into flowledger.task
select
    {task}, '00000000-0000-8000-8000-000000000001', 'shop', 'order', '1',
    case when n % 5 = 0 then 'in_progress' else 'complete' end, 2, false, 0, '', now(),
    case when n % 5 <> 0 then now() end
from generate_series(1, {tasks}) as n;
insert into flowledger.step
select
    {task}, s.step, case when n % 5 = 0 and s.step = 'b' then 'enqueued' else 'complete' end, 1, 3
from generate_series(1, {tasks}) as n, (values ('a'), ('b')) as s (step);
insert into flowledger.queue (
    step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step
)
select
    overlay({task}::text placing '8' from 15)::uuid, {task}, '00000000-0000-8000-8000-000000000001',
    1, n, 1, 0, 'b'
from generate_series(5, {tasks}, 5) as n;
select flowledger.recount_states();
analyze
"""
TASK = """(
    '01890a5d-' || to_hex(4096 + n / 4096) || '-7' || lpad(to_hex(n % 4096), 3, '0')
    || '-8000-000000000000'
)::uuid"""
ONE = "'01890a5d-1000-7064-8000-000000000000'"
ASKED = (
    f"step_readiness({ONE})",
    f"task_execution_context({ONE})",
    f"task_summary({ONE})",
    f"transitive_dependencies({ONE}, 'b')",
    "ready_tasks(5)",
    "system_health()",
)
OF_A_TASK = ("task_events", "task_transitions")
PAGES_OF_A_TASK = 500
"""The log of the test has some thousands."""


@contextmanager
def filled(server: str, template: str, tasks: int) -> Generator[str]:
    with database_on(server, f"{template}_of_{tasks}", template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL.format(task=TASK, tasks=tasks).encode())
        yield url


@pytest.fixture(scope="module")
def databases(server: str, template: str) -> Generator[tuple[str, str]]:
    """One with few tasks and one with a hundred times as many. For reading."""
    with filled(server, template, FEW) as few, filled(server, template, MANY) as many:
        yield few, many


def pages(url: str, asked: str, mode: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"set plan_cache_mode = {mode}".encode())
        return [touched(connection, asked) for _ in range(PAST_THE_SIXTH)][-1]


def touched(connection: Connection, asked: str) -> int:
    query = sql.SQL("explain (analyze, buffers, format json) select * from flowledger_v1.")
    row = connection.execute(query + sql.SQL(asked)).fetchone()  # type: ignore[arg-type]
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize("asked", ASKED)
def test_a_hundred_times_the_tasks_is_no_more_to_read(
    databases: tuple[str, str], asked: str, mode: str
) -> None:
    few, many = (pages(url, asked, mode) for url in databases)

    assert 0 < many <= few + MORE_LEVELS


@pytest.mark.parametrize("function", OF_A_TASK)
def test_the_log_of_one_task_is_read_by_its_key(
    long_log: Connection, function: str, mode: str
) -> None:
    long_log.execute(f"set plan_cache_mode = {mode}".encode())
    asked = f"{function}('{tasks_of_the_log()[1_234]}')"

    assert [touched(long_log, asked) for _ in range(PAST_THE_SIXTH)][-1] < PAGES_OF_A_TASK
