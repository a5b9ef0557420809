"""Rows of the built-in read models, as tests of the functions that read them make them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import sql

from flowledger.projections.builtin.analytics_minute_totals import STEP_COUNTS, TASK_COUNTS
from support.sql_calls import Connection, call, new_id

STEP_TIMES = ("run_time", "longest_run", "queue_time", "longest_queue")
TASK_MINUTE = {
    **dict.fromkeys(TASK_COUNTS, 0),
    "total_time": "0",
    "longest_time": "0",
}
STEP_MINUTE = {
    **dict.fromkeys(STEP_COUNTS, 0),
    **dict.fromkeys(STEP_TIMES, "0"),
}
BLOCKED_MINUTE = {"reason": "queue", "times": 1, "total_time": "0", "longest_time": "0"}
NAMED = {"namespace": "shop", "template": "order", "version": "1"}


def now(connection: Connection) -> datetime:
    """The engine's time."""
    row = connection.execute("select flowledger.clock()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def minute(connection: Connection, ago: int = 0) -> datetime:
    """A whole minute, so many before this one."""
    return now(connection).replace(second=0, microsecond=0) - timedelta(minutes=ago)


def fill(connection: Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, named by the columns, into `schema.table`."""
    name = sql.Identifier(*table.split("."))
    connection.execute(
        sql.SQL("insert into {} select * from json_populate_recordset(null::{}, %s)").format(
            name, name
        ),
        (json.dumps(rows, default=str),),
    )


def task_minute(connection: Connection, ago: int = 0, **changed: Any) -> None:
    """A minute of a template's tasks."""
    row = {"minute": minute(connection, ago), **NAMED, **TASK_MINUTE, **changed}
    fill(connection, "flowledger_analytics.task_minute", [row])


def step_minute(connection: Connection, ago: int = 0, **changed: Any) -> None:
    """A minute of a step."""
    row = {"minute": minute(connection, ago), **NAMED, "step": "pay", **STEP_MINUTE, **changed}
    fill(connection, "flowledger_analytics.step_minute", [row])


def blocked_minute(connection: Connection, ago: int = 0, **changed: Any) -> None:
    """A minute of waiting for a reason."""
    row = {"minute": minute(connection, ago), **NAMED, **BLOCKED_MINUTE, **changed}
    fill(connection, "flowledger_analytics.blocked_minute", [row])


def task_row(connection: Connection, seconds: float, ago: int = 1, **changed: Any) -> UUID:
    """A task that took so many seconds, and ended so many minutes ago."""
    ended, task = now(connection) - timedelta(minutes=ago), new_id()
    begun = ended - timedelta(seconds=seconds)
    row = {
        "task_id": task,
        **NAMED,
        "state": "complete",
        "priority": 0,
        "correlation_id": str(task),
        "created_at": begun,
        "started_at": begun,
        "ended_at": ended,
        **changed,
    }
    fill(connection, "flowledger_history.task_history", [row])
    return task


def attempt_row(connection: Connection, seconds: float, ago: int = 1, **changed: Any) -> UUID:
    """An attempt that ran for so many seconds, and ended so many minutes ago."""
    ended, task = now(connection) - timedelta(minutes=ago), new_id()
    begun = ended - timedelta(seconds=seconds)
    row = {
        "task_id": task,
        "opened": 1,
        "step": "pay",
        "attempt": 1,
        **NAMED,
        "enqueued_at": begun - timedelta(seconds=2),
        "started_at": begun,
        "ended_at": ended,
        "outcome": "completed",
        **changed,
    }
    fill(connection, "flowledger_history.attempt", [row])
    return task


def called(connection: Connection, function: str, *arguments: Any, **named: Any) -> list[Any]:
    """What a public function returns, as dictionaries; templates that are named are registered."""
    for key in ("shop/order@1", "shop/order@2", "bank/loan@1") if named else ():
        namespace, name, version = re.split("[/@]", key)
        definition = (new_id(), namespace, name, version, key, "{}")
        call(connection, "register_template", *definition, "template.registered", b"{}", 0)
    places = ", ".join(["%s"] * len(arguments) + [f"{name} => %s" for name in named])
    query = f"select to_json(t) from flowledger_v1.{function}({places}) as t"  # noqa: S608
    return [row for (row,) in connection.execute(query.encode(), (*arguments, *named.values()))]
