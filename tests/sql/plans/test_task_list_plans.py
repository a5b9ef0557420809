"""A page of tasks costs the same however many tasks there are."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest

from flowledger.engine.store.connection.pool import PLANS
from support.databases import database_on
from support.sql_calls import Connection

MANY = 100_000
MOST_PAGES = 600
"""Of what a page of 50 tasks reads; the table alone has more than 2,000."""

FILL = """
    insert into flowledger.task (
        task_id, template_id, namespace, template, version, state, stream_version, paused, priority,
        correlation_id, created_at, ended_at
    )
    select
        x.id, gen_random_uuid(), 'shop ' || n %% 7, 'flow ' || n %% 3, '1',
        case when n %% 5000 = 9 then 'error' when n %% 9000 = 5 then 'blocked'
        when n %% 9000 = 7 then 'in_progress' else 'complete' end,
        3, n %% 20000 = 7, 0, case when n %% 1000 = 3 then 'batch ' || n / 9000 else x.id::text end,
        timestamptz '2026-03-01 12:00Z' + n * interval '1 second',
        case when n %% 9000 in (5, 7) then null else now() end
    from generate_series(1, %s) as n
    cross join lateral (
        select (
            lpad(to_hex(1772366400000 + n * 1000), 12, '0') || '70008000'
            || lpad(to_hex(n), 12, '0')
        )::uuid as id
    ) as x
"""
FAR_BEHIND = "019cac3f-fa80-7000-8000-00000000c350"
TAG = """
    insert into flowledger_notes.tag (task_id, tag, namespace, template, at)
    select t.task_id, 'vip', t.namespace, t.template, t.created_at
    from flowledger.task as t
    where t.state = 'error'
"""
FILTERS: dict[str, str] = {
    "nothing": "",
    "a rare state": "p_states => '{error}'",
    "two rare states": "p_states => '{error,blocked}'",
    "a state that most have": "p_states => '{complete}'",
    "a state that none has": "p_states => '{waiting}'",
    "an open state": "p_states => '{in_progress}'",
    "open and ended states": "p_states => '{waiting,error}'",
    "a template": "p_namespace => 'shop 1', p_template => 'flow 2'",
    "a version of a template": "p_namespace => 'shop 1', p_template => 'flow 2', p_version => '1'",
    "a template that there is not": "p_namespace => 'shop 1', p_template => 'flow 9'",
    "a state of a template": "p_namespace => 'shop 1', p_template => 'flow 2',"
    " p_states => '{error}'",
    "a correlation": "p_correlation_id => 'batch 7'",
    "a task's own correlation": f"p_correlation_id => '{FAR_BEHIND}'",
    "a tag": "p_tags => '{vip}'",
    "paused": "p_paused => true",
    "parked": "p_parked => true",
    "a minute": "p_created_from => '2026-03-01 13:00Z', p_created_before => '2026-03-01 13:01Z'",
    "a page far behind": f"p_after => '{FAR_BEHIND}'",
    "a state of a page far behind": f"p_after => '{FAR_BEHIND}', p_states => '{{error}}'",
}


@pytest.fixture(scope="module")
def many(server: str, template: str) -> Generator[Connection]:
    """A database with very many tasks, which the planner knows of, as the engine connects to it."""
    name = f"{template}_many_tasks"
    with (
        database_on(server, name, template) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute(FILL, (MANY,))
        connection.execute(TAG)
        connection.execute("vacuum analyze")
        yield connection


@pytest.fixture(params=["as the engine connects", "as anybody connects"])
def asked(many: Connection, request: pytest.FixtureRequest) -> Connection:
    """The connection, with the settings of the engine's pool or with the server's."""
    many.execute("reset all")
    if request.param == "as the engine connects":
        for name, value in PLANS.items():
            many.execute(f"set {name} = {value}".encode())
    return many


@pytest.mark.parametrize("name", FILTERS)
def test_a_page_is_read_by_an_index(asked: Connection, name: str) -> None:
    arguments = ", ".join(filter(None, ("50", FILTERS[name])))
    listed = f"select * from flowledger.list_tasks({arguments})"  # noqa: S608 - ours
    query = f"explain (analyze, buffers, format json) {listed}"
    before = scans(asked)
    for _ in range(2):
        found = value(asked, query)

    plan = found[0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_PAGES
    assert scans(asked) == before


def test_the_table_has_more_pages_than_that(many: Connection) -> None:
    pages = value(many, "select pg_relation_size('flowledger.task') / 8192")

    assert pages > 3 * MOST_PAGES


def scans(connection: Connection) -> int:
    """How often the whole table of tasks was read."""
    connection.execute("select pg_stat_force_next_flush()")
    found: int = value(
        connection, "select seq_scan from pg_stat_user_tables where relname = 'task'"
    )
    return found


def value(connection: Connection, query: str) -> Any:
    (row,) = connection.execute(query.encode()).fetchall()
    return row[0]
