"""flowledger_v1.slowest_template_steps: which step of which template is slow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from support.read_model_rows import called, step_minute
from support.sql_calls import Connection

FUNCTION = "slowest_template_steps"


def steps(connection: Connection, *arguments: object, **named: object) -> list[Any]:
    return [row["step"] for row in called(connection, FUNCTION, *arguments, **named)]


def test_averages_are_over_all_minutes_and_versions_are_apart(connection: Connection) -> None:
    first = {"started": 4, "completed": 3, "runs": 4, "run_time": "8 s", "longest_run": "5 s"}
    step_minute(connection, **first, failed=1, queue_time="2 s", longest_queue="1 s")
    step_minute(connection, ago=9, runs=2, run_time="10 s", longest_run="9 s", lost=1, retried=2)
    step_minute(connection, version="2", runs=6, run_time="6 s", longest_run="1 s")

    slow, fast = called(connection, FUNCTION)

    assert (slow["version"], slow["executions"], slow["completions"]) == ("1", 6, 3)
    assert (slow["failures"], slow["retries"], slow["errors"]) == (2, 2, 0)
    assert (slow["avg_run_seconds"], slow["longest_run_seconds"]) == (3, 9)
    assert (slow["avg_queue_seconds"], slow["longest_queue_seconds"]) == (0.5, 1)
    assert (fast["version"], fast["avg_run_seconds"], fast["avg_queue_seconds"]) == ("2", 1, None)


def test_steps_that_ran_too_seldom_are_left_out(connection: Connection) -> None:
    step_minute(connection, runs=4, run_time="400 s")
    step_minute(connection, step="pack", runs=5, run_time="1 s")
    step_minute(connection, step="idle", enqueued=9)

    assert steps(connection) == ["pack"]
    assert steps(connection, min_executions=0) == ["pay", "pack"]
    assert steps(connection, min_executions=0, most=1) == ["pay"]


def test_it_can_be_asked_of_a_time_and_a_template(connection: Connection) -> None:
    step_minute(connection, ago=70, step="old", runs=5, run_time="5 s")
    step_minute(connection, step="new", version="2", runs=5, run_time="4 s")
    step_minute(connection, step="far", namespace="bank", template="loan", runs=5, run_time="3 s")

    assert steps(connection, timedelta(hours=1)) == ["new", "far"]
    assert steps(connection, of_namespace="shop") == ["old", "new"]
    assert steps(connection, of_template="loan") == ["far"]
    assert steps(connection, of_version="2") == ["new"]
