"""A long log, and the plans that a server makes for it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from psycopg import sql

from flowledger.engine.domain.deterministic_ids import milliseconds, step_id, uuid7
from support.builders import NOON
from support.sql_calls import Connection, Row

TASKS, STEPS, EVENTS_A_STEP = 2_000, 15, 3


def tasks() -> list[UUID]:
    """Tasks of two seconds, several of which share their millisecond."""
    at = milliseconds(NOON)
    return [uuid7(at + n, n % 5 << 62 | 7919 * n) for n in range(TASKS)]


def history(task: UUID) -> list[Row]:
    """50 events: the task's own, and those of its steps."""
    own = [Row(task, n, "task.created", b"{}", task) for n in range(1, 6)]
    steps = [step_id(task, str(n)) for n in range(STEPS)]
    return own + [
        Row(step, n, topic, b"{}" * 40, task)
        for n, topic in enumerate(("step.enqueued", "step.started", "step.completed"), start=1)
        for step in steps
    ]


def plan_of(
    connection: Connection, function: str, *arguments: Any, times: int = 1, **variables: str
) -> str:
    """The plan of a function's last statement, prepared and run so often with these arguments.

    `variables`: SQL for those of the function's own.
    """
    row = connection.execute(
        "select prosrc, proargnames, proargtypes::regtype[]::text[] from pg_proc"
        " where pronamespace = 'flowledger'::regnamespace and proname = %s",
        (function,),
    ).fetchone()
    assert row is not None
    body, names, types = row
    *_, body = filter(str.strip, re.sub(r";\s*end\s*$", "", body).split(";"))
    body = body.partition("return query")[2] or body
    for number, name in enumerate(names[: len(types)], start=1):
        body = re.sub(rf"\b{name}\b", f"${number}", body)
    for name, value in variables.items():
        body = re.sub(rf"\b{name}\b", value, body)
    return prepared(connection, body, types, arguments, times)


def prepared(
    connection: Connection, query: str, types: list[str], arguments: Any, times: int
) -> str:
    """The plan of a prepared statement, run so often before it is looked at."""
    connection.execute("deallocate all")
    declared = f"({', '.join(types)})" if types else ""
    connection.execute(f"prepare asked{declared} as {query}".encode())
    run = sql.SQL("execute asked({})").format(sql.SQL(", ").join(map(sql.Literal, arguments)))
    for _ in range(times - 1):
        connection.execute(run)
    plan = connection.execute(sql.SQL("explain (costs off) {}").format(run)).fetchall()
    return "\n".join(line for (line,) in plan)
