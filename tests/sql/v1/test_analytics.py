"""flowledger_v1.analytics: an hour in one row."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from support.read_model_rows import called, minute, step_minute, task_minute
from support.sql_calls import Connection, Row, append, new_id

RATES = {
    *("completion_rate", "error_rate", "avg_task_seconds", "longest_task_seconds"),
    *("avg_step_seconds", "longest_step_seconds", "avg_queue_seconds", "health_score"),
}
COUNTS = {
    *("namespaces", "templates", "tasks_created", "task_completions", "task_errors"),
    *("task_cancellations", "tasks_resolved", "task_endings", "tasks_per_minute"),
    *("step_attempts", "step_completions", "step_failures", "step_retries", "step_errors"),
    "steps_per_minute",
}


@pytest.fixture
def projected(connection: Connection) -> Connection:
    """A database of which a projector has read the log."""
    task = new_id()
    append(connection, Row(task, 1, "task.created", b"{}", task))
    connection.execute(
        "update flowledger.projection"
        " set position = (select max(notification_id) from flowledger.event)"
    )
    return connection


def test_what_no_projector_has_counted_is_null_and_never_nothing(connection: Connection) -> None:
    connection.execute("update flowledger.state_count set tasks_in_progress = 2 where shard = 0")

    (row,) = called(connection, "analytics")

    assert {name for name, value in row.items() if value is None} == (
        COUNTS | RATES | {"as_of", "as_of_position"}
    )
    assert row["active_tasks"] == 2


def test_where_nothing_happened_there_are_no_rates_and_nobody_says_all_is_well(
    projected: Connection,
) -> None:
    (row,) = called(projected, "analytics")

    assert {name for name, value in row.items() if value is None} == RATES
    assert {row[name] for name in COUNTS} == {0}

    begun, until = (datetime.fromisoformat(row[name]) for name in ("period_start", "calculated_at"))
    assert timedelta(hours=1) <= until - begun < timedelta(hours=1, minutes=1)


def test_the_minutes_are_added_up(projected: Connection) -> None:
    connection = projected
    times = {"total_time": "30 s", "longest_time": "12 s"}
    task_minute(connection, created=5, completed=3, **times)
    task_minute(connection, ago=10, template="other", completed=3, failed=1, cancelled=1, **times)
    runs = {"run_time": "24 s", "longest_run": "9 s", "queue_time": "6 s"}
    step_minute(connection, started=12, completed=9, failed=2, timed_out=1, runs=12, **runs)
    step_minute(connection, ago=10, lost=1, retried=3, errored=1, runs=4, run_time="8 s")

    (row,) = called(connection, "analytics")

    assert (row["namespaces"], row["templates"]) == (1, 2)
    assert (row["tasks_created"], row["task_completions"], row["task_errors"]) == (5, 6, 1)
    assert (row["completion_rate"], row["error_rate"]) == (0.75, 0.125)
    assert (row["avg_task_seconds"], row["longest_task_seconds"]) == (10, 12)
    assert (row["step_attempts"], row["step_completions"]) == (12, 9)
    assert (row["step_failures"], row["step_retries"], row["step_errors"]) == (4, 3, 1)
    assert (row["avg_step_seconds"], row["longest_step_seconds"]) == (2, 9)
    assert row["avg_queue_seconds"] == 0.5
    assert row["health_score"] == round(70 * 7 / 8 + 30 * 9 / 13, 1)
    assert row["tasks_per_minute"] == pytest.approx(6 / 60, rel=0.02)


def test_what_was_before_the_time_is_left_out(projected: Connection) -> None:
    connection = projected
    for ago in (0, 5, 6):
        task_minute(connection, ago=ago, completed=1)

    (row,) = called(connection, "analytics", timedelta(minutes=5))

    assert row["task_completions"] == 2
    assert datetime.fromisoformat(row["period_start"]) == minute(connection, 5)


def test_active_tasks_are_those_that_have_not_ended(connection: Connection) -> None:
    connection.execute(
        "update flowledger.state_count set tasks_pending = 1, tasks_in_progress = 2, tasks_waiting "
        "= 3,"
        " tasks_blocked = 4, tasks_complete = 50, tasks_error = 60"
    )

    assert called(connection, "analytics")[0]["active_tasks"] == 10
