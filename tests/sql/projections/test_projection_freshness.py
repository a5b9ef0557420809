"""projection_freshness: how far the log is in what a projection's answers are read from."""

from __future__ import annotations

import re

import psycopg
import pytest

from support.read_model_rows import (
    attempt_row,
    blocked_minute,
    called,
    step_minute,
    task_minute,
    task_row,
)
from support.sql_calls import Connection, Row, append, call, new_id

VIEWS = ("annotations", "tags", "dependent_systems", "operator_actions")
FUNCTIONS = (
    "analytics()",
    "blocked_time()",
    "slowest_steps()",
    "slowest_tasks()",
    "slowest_template_steps()",
    "slowest_templates()",
)
NOTED = """
    with tagged as (
        insert into flowledger_notes.tag
        values (%(task)s, 'urgent', 'shop', 'order', 'ann', now())
    ), done as (
        insert into flowledger_audit.operator_action (position, at, action, actor)
        values (1, now(), 'clock.move', 'ann')
    ), known as (
        insert into flowledger_systems.system
        values ('bank', 'closed', 0, 0, null, null, null, null, '0')
    )
    insert into flowledger_notes.annotation
    values (1, %(task)s, 'shop', 'order', 'comment', null, 'ann', null, now())
"""


def test_it_is_the_position_and_when_the_last_event_up_to_there_was_recorded(
    connection: Connection,
) -> None:
    assert called(connection, "projection_freshness", "flowledger_audit") == [
        {"position": None, "at": None, "paused": False}
    ]
    for _ in range(3):
        task = new_id()
        append(connection, Row(task, 1, "task.created", b"{}", task))
    connection.execute(
        "update flowledger.projection set position = ("
        " select notification_id from flowledger.event order by 1 offset 1 limit 1)"
    )

    ((position, at, _),) = call(connection, "projection_freshness", "flowledger_analytics")

    query = "select notification_id, recorded_at from flowledger.event order by 1 offset 1 limit 1"
    assert connection.execute(query).fetchone() == (position, at)
    (row,) = called(connection, "analytics")
    assert row["as_of_position"] == position
    assert row["as_of"] is not None


def test_a_projection_that_is_paused_says_so_also_where_there_is_no_row(
    connection: Connection,
) -> None:
    connection.execute("update flowledger.projection set paused = true, position = 0")

    assert call(connection, "projection_freshness", "flowledger_analytics") == [(None, None, True)]
    (row,) = called(connection, "analytics")
    assert (row["as_of"], row["projection_paused"]) == (None, True)


PUBLIC = """
    select p.proname::text, p.prosrc || '', coalesce(p.proargnames, '{}')
    from pg_proc as p
    where p.pronamespace = 'flowledger_v1'::regnamespace
    union all
    select c.relname, pg_get_viewdef(c.oid), array_agg(a.attname::text order by a.attnum)
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
    where c.relnamespace = 'flowledger_v1'::regnamespace
    group by c.oid, c.relname
    order by 1
"""
PROJECTIONS = "select distinct name || '.' from flowledger.projection"


def test_all_that_is_read_from_a_projection_says_how_old_it_is(connection: Connection) -> None:
    schemas = [name for (name,) in connection.execute(PROJECTIONS).fetchall()]

    read = {
        name: columns[-2:]
        for name, source, columns in connection.execute(PUBLIC).fetchall()
        if any(re.sub(r"__\d+", "", source).count(schema) for schema in schemas)
    }

    assert len(read) >= 11
    assert {name: last for name, last in read.items() if last != ["as_of_position", "as_of"]} == {}


@pytest.mark.parametrize("known", [False, True], ids=["nothing read", "one event read"])
def test_it_is_beside_every_answer(connection: Connection, known: bool) -> None:
    task = task_row(connection, 5)
    append(connection, Row(task, 1, "task.created", b"{}", task))
    attempt_row(connection, 5, task_id=task)
    blocked_minute(connection)
    step_minute(connection, runs=5)
    task_minute(connection, completed=5)
    connection.execute(NOTED, {"task": task})
    if known:
        connection.execute("update flowledger.projection set position = 1")
    event = "select notification_id, recorded_at from flowledger.event"

    answers = {
        source: connection.execute(
            f"select as_of_position, as_of from flowledger_v1.{source}".encode()  # noqa: S608
        ).fetchall()
        for source in (*VIEWS, *FUNCTIONS, f"timeline('{task}')")
    }

    expected = [connection.execute(event).fetchone() if known else (None, None)]
    assert {source: rows for source, rows in answers.items() if rows != expected} == {}


def test_one_that_there_is_not_is_named(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match="there is no projection 'nope'"):
        called(connection, "projection_freshness", "nope")
