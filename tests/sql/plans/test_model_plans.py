"""Questions about a time read that time, events their attempts: what was before costs nothing."""

from __future__ import annotations

import json

import pytest

from flowledger.projections.builtin.analytics import CLOSE_STEPS, HOLD_TASKS, STEPS, TASKS
from flowledger.projections.builtin.history import GO_ON_WITH_TASKS, STORE_ATTEMPTS
from support.read_model_rows import attempt_row, blocked_minute, step_minute, task_minute, task_row
from support.sql_calls import Connection, new_id

OLD_ROWS = 5_000
A_FEW = 25
"""Pages: the tables have more than fifty each."""

FILL = """
    insert into flowledger_analytics.task_minute
    select m.minute - n * interval '1 minute', m.namespace, m.template, m.version, 1, 1, 0, 0, 0,
        '1 s', '1 s'
    from flowledger_analytics.task_minute as m, generate_series(1500, 1500 + %(rows)s) as n;
    insert into flowledger_analytics.step_minute
    select (m).*
    from (
        select json_populate_record(
            m, json_build_object('minute', m.minute - n * interval '1 minute')
        ) as m
        from flowledger_analytics.step_minute as m, generate_series(1500, 1500 + %(rows)s) as n
    ) as r;
    insert into flowledger_analytics.blocked_minute
    select m.minute - n * interval '1 minute', m.namespace, m.template, m.version, m.reason, 1,
        '1 s', '1 s'
    from flowledger_analytics.blocked_minute as m, generate_series(1500, 1500 + %(rows)s) as n;
    insert into flowledger_history.task_history
    select gen_random_uuid(), t.namespace, t.template, t.version, t.state, 0, '',
        t.created_at - n * interval '1 minute', null, t.ended_at - n * interval '1 minute'
    from flowledger_history.task_history as t, generate_series(1500, 1500 + %(rows)s) as n;
    insert into flowledger_history.attempt
    select (a).*
    from (
        select json_populate_record(
            a, json_build_object(
                'task_id', gen_random_uuid(), 'ended_at', a.ended_at - n * interval '1 minute'
            )
        ) as a
        from flowledger_history.attempt as a, generate_series(1500, 1500 + %(rows)s) as n
    ) as r
"""

KNOWN = """
    insert into known_task
    select gen_random_uuid(), '', '', '', now() from generate_series(1, %(rows)s);
    insert into open_step
    select gen_random_uuid(), 'pack', 'run', now() from generate_series(1, %(rows)s)
"""

TABLES = (
    "flowledger_analytics__1.task_minute",
    "flowledger_analytics__1.step_minute",
    "flowledger_analytics__1.blocked_minute",
    "flowledger_history__1.task_history",
    "flowledger_history__1.attempt",
)


SUBMITTED = new_id()
FUNCTIONS = (
    "analytics()",
    "blocked_time()",
    "slowest_steps()",
    "slowest_tasks()",
    "slowest_template_steps()",
    "slowest_templates()",
    f"timeline('{SUBMITTED}')",
)


def test_a_question_reads_its_window_only(connection: Connection) -> None:
    task_minute(connection, completed=5)
    step_minute(connection, runs=5)
    blocked_minute(connection)
    task_row(connection, 5)
    attempt_row(connection, 5)
    connection.execute(
        "insert into flowledger.submission (task_id, encoding, topic, state)"
        " values (%s, 0, '', '')",
        (SUBMITTED,),
    )
    connection.execute((FILL % {"rows": OLD_ROWS}).encode())
    for table in TABLES:
        connection.execute(f"vacuum analyze {table}".encode())

    read = {function: buffers(connection, function) for function in FUNCTIONS}

    assert {function: pages for function, pages in read.items() if pages > A_FEW} == {}


@pytest.mark.parametrize("known", [False, True], ids=["a new table", "a table that is known"])
def test_tasks_and_attempts_that_go_on_are_looked_up_by_their_keys(
    connection: Connection, known: bool
) -> None:
    task_row(connection, 5)
    attempt_row(connection, 5)
    connection.execute((FILL % {"rows": OLD_ROWS}).encode())
    if known:
        connection.execute("analyze flowledger_history__1.task_history")
        connection.execute("analyze flowledger_history__1.attempt")
    connection.execute("set search_path = flowledger_history__1; set enable_seqscan = off")
    one = json.dumps([{"task_id": str(new_id()), "step": "pack", "opened": 7}])

    found = plan(connection, STORE_ATTEMPTS, one, one) + plan(connection, GO_ON_WITH_TASKS, one)

    assert "using attempt_open on attempt" in found
    assert "Tid Scan on attempt" in found
    assert found.count("Index Scan using task_history_pkey on task_history") == 2
    assert "Tid Scan on task_history" in found
    assert "Seq Scan" not in found


@pytest.mark.parametrize("known", [False, True], ids=["new tables", "tables that are known"])
def test_what_analytics_knows_of_tasks_and_steps_is_looked_up_by_its_keys(
    connection: Connection, known: bool
) -> None:
    connection.execute("set search_path = flowledger_analytics__1; set enable_seqscan = off")
    connection.execute(KNOWN % {"rows": OLD_ROWS})
    if known:
        connection.execute("analyze known_task")
        connection.execute("analyze open_step")
    ids = [new_id() for _ in range(300)]
    steps = ids, ["pack"] * len(ids)

    of_tasks = plan(connection, TASKS, ids) + plan(connection, HOLD_TASKS, json.dumps([]))
    of_steps = plan(connection, STEPS, *steps) + plan(connection, CLOSE_STEPS, *steps)

    assert of_tasks.count("using known_task_pkey") == 2
    assert of_steps.count("using open_step_pkey") == 2
    assert "Index Cond: ((task_id = k.task_id) AND (step = k.step))" in of_steps
    for found in (of_tasks, of_steps):
        assert "Tid Scan" in found
        assert "Seq Scan" not in found
        assert "Merge Join" not in found
        assert "Hash Join" not in found


def plan(connection: Connection, statement: str, *given: object) -> str:
    """How the server would execute the statement."""
    rows = connection.execute(f"explain {statement}".encode(), given).fetchall()
    return "\n".join(row[0] for row in rows)


def buffers(connection: Connection, function: str) -> int:
    """The pages that a call touches when it is warm: a session plans its first five calls anew."""
    query = f"select * from flowledger_v1.{function}"  # noqa: S608
    for _ in range(6):
        connection.execute(query.encode())
    row = connection.execute(f"explain (analyze, buffers, format json) {query}".encode()).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
