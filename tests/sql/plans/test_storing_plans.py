"""Storing rows costs what is stored, whether the planner knows of a table or takes it for empty."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flowledger.engine.domain.templates.template import Template
from flowledger.engine.store.connection.pool import PLANS
from support.builders import diamond
from support.query_plans import prepared
from support.sql_calls import Connection, call, new_id, rows_of, step_row, task_row
from support.stored_tasks import register

ROWS = 3_000
PAST_THE_SIXTH = 8


def statement_of(connection: Connection, function: str) -> str:
    """The statement with which the function stores rows."""
    (source,) = connection.execute(
        "select prosrc from pg_proc where oid = %s::regproc", (f"flowledger.{function}",)
    ).fetchone() or [""]
    (statement,) = re.findall(r"with given as .*?(?=;)", source, re.DOTALL)
    return re.sub(r"\binto v_\w+(, v_\w+)*", "", statement).replace("p_rows", "$1")


def rows(function: str, template: Template) -> list[dict[str, Any]]:
    """As many rows as make an index worth its while."""
    made = [task_row(new_id(), template.template_id) for _ in range(ROWS)]
    return made if function == "upsert_tasks" else [step_row(row["task_id"]) for row in made]


@pytest.mark.parametrize("known", [False, True], ids=["an empty table", "a table that is known"])
@pytest.mark.parametrize("function", ["upsert_steps", "upsert_tasks"])
def test_each_row_is_looked_up_by_its_key_and_changed_in_its_place(
    connection: Connection, function: str, known: bool
) -> None:
    template = diamond()
    register(connection, template)
    stored = rows(function, template)
    if known:
        call(connection, function, rows_of(stored))
        connection.execute("analyze flowledger.step, flowledger.task")
    for name, value in PLANS.items():
        connection.execute(f"set {name} = {value}".encode())

    query = statement_of(connection, function)
    plan = prepared(connection, query, ["json"], [rows_of(stored[:1])], PAST_THE_SIXTH)

    table = "step" if function == "upsert_steps" else "task"
    assert f"Index Scan using {table}_pkey on {table}" in plan
    assert f"Tid Scan on {table}" in plan
    assert f"Seq Scan on {table}" not in plan
