"""flowledger_v1.slowest_templates: which template is slow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from support.read_model_rows import called, task_minute
from support.sql_calls import Connection

FUNCTION = "slowest_templates"


def templates(connection: Connection, *arguments: object, **named: object) -> list[Any]:
    return [row["template"] for row in called(connection, FUNCTION, *arguments, **named)]


def test_averages_are_over_all_minutes_and_versions_are_apart(connection: Connection) -> None:
    task_minute(connection, completed=3, failed=1, total_time="9 s", longest_time="4 s")
    task_minute(connection, ago=9, completed=2, cancelled=1, total_time="6 s", longest_time="5 s")
    task_minute(connection, version="2", completed=5, total_time="5 s", longest_time="1 s")

    slow, fast = called(connection, FUNCTION)

    assert (slow["version"], slow["executions"], slow["completions"]) == ("1", 7, 5)
    assert (slow["errors"], slow["cancellations"]) == (1, 1)
    assert (slow["avg_task_seconds"], slow["longest_task_seconds"]) == (3, 5)
    assert slow["error_rate"] == 1 / 7
    assert (fast["version"], fast["avg_task_seconds"], fast["error_rate"]) == ("2", 1, 0)


def test_templates_of_which_too_few_tasks_ended_are_left_out(connection: Connection) -> None:
    task_minute(connection, created=90, completed=4, total_time="400 s")
    task_minute(connection, template="broken", failed=5)
    task_minute(connection, template="idle", created=9)

    assert templates(connection) == ["broken"]
    assert templates(connection, min_executions=0) == ["order", "broken"]
    assert templates(connection, min_executions=0, most=1) == ["order"]


def test_it_can_be_asked_of_a_time_and_a_template(connection: Connection) -> None:
    task_minute(connection, ago=70, template="old", completed=5, total_time="5 s")
    task_minute(connection, template="new", version="2", completed=5, total_time="4 s")
    task_minute(connection, namespace="bank", template="loan", completed=5, total_time="3 s")

    assert templates(connection, timedelta(hours=1)) == ["new", "loan"]
    assert templates(connection, of_namespace="shop") == ["old", "new"]
    assert templates(connection, of_template="loan") == ["loan"]
    assert templates(connection, of_version="2") == ["new"]
