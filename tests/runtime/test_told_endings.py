"""Log lines: what completed, failed, is blocked, was cancelled or settled; once it is stored."""

from __future__ import annotations

import ast
import logging
from pathlib import Path
from typing import Any

import pytest
from psycopg import Cursor

from flowledger.engine import TaskHandle
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness

ROOT = Path(__file__).parents[2]
good = Workflow("told", "good", version="1")
failing = Workflow("told", "failing", version="2")
blocking = Workflow("told", "blocking", version="1", on_failure="block")


@good.step
def reserve() -> str:
    return "reserved"


@good.step(after=[reserve], transactional=True)
def charge(cursor: Cursor[Any]) -> None:
    cursor.execute("select")


@failing.step(retry=Retry(max_attempts=1))
@blocking.step(retry=Retry(max_attempts=1))
def refuse() -> None:
    raise ValueError("no")


def lines(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    """The fields of the lines with that name."""
    found = [record for record in caplog.records if record.getMessage().startswith(f"{name} ")]
    return [{"level": one.levelname, **vars(one)["flowledger"]} for one in found]


def told_of(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture, task: TaskHandle, name: str
) -> dict[str, Any]:
    """The one line of that name about the task; it is written after the task was seen to end."""
    harness.until(lambda: lines(caplog, name))
    (line,) = lines(caplog, name)
    assert line["task_id"] == line["correlation_id"] == str(task.id)
    return line


def test_a_task_that_completes_is_one_line_at_info_and_its_steps_one_each_at_debug(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "flowledger")
    task = harness.open(good).submit(good, {})
    task.result(PATIENCE)

    line = told_of(harness, caplog, task, "task.completed")
    assert (line["level"], line["template"]) == ("INFO", "told/good@1")
    assert 0 <= line["seconds"] < PATIENCE
    harness.until(lambda: len(lines(caplog, "step.completed")) == 2)
    steps = lines(caplog, "step.completed")
    assert [(one["step"], one["attempt"], one["level"]) for one in steps] == [
        ("reserve", 1, "DEBUG"),
        ("charge", 1, "DEBUG"),
    ]
    assert {one["template"] for one in steps} == {"told/good@1"}
    assert all(0 <= one["seconds"] <= line["seconds"] for one in steps)


def test_a_task_that_fails_says_which_steps(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flowledger")
    task = harness.open(failing).submit(failing, {})
    task.wait(PATIENCE)

    line = told_of(harness, caplog, task, "task.failed")
    assert (line["level"], line["template"]) == ("INFO", "told/failing@2")
    assert line["failed_steps"] == ["refuse"]
    assert lines(caplog, "step.completed") == []


def test_a_blocked_task_is_told_and_so_is_what_an_operator_makes_of_it(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flowledger")
    task = harness.open(blocking).submit(blocking, {})

    assert told_of(harness, caplog, task, "task.blocked")["failed_steps"] == ["refuse"]
    task.resolve(reason="by phone", actor="ada")
    assert told_of(harness, caplog, task, "task.resolved_manually")["reason"] == "by phone"


def test_a_cancelled_task_says_why(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flowledger")
    task = harness.open(good, roles=["coordinator"]).submit(good, {})

    task.cancel(reason="of no use", actor="ada")

    assert told_of(harness, caplog, task, "task.cancelled")["reason"] == "of no use"


def test_where_nobody_reads_them_no_line_is_made(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flowledger")
    harness.open(good).submit(good, {}).result(PATIENCE)

    assert lines(caplog, "task.completed") == lines(caplog, "step.completed") == []


def test_lines_for_each_step_or_task_are_collected_only_where_somebody_reads_them() -> None:
    """Every module that writes one asks first."""
    writers = [
        path
        for path in (ROOT / "engine" / "runtime").rglob("*.py")
        if {"STEP_COMPLETED", "TASK_COMPLETED"} & names_in(path)
    ]

    assert sorted(path.name for path in writers) == [
        "log_step_completions.py",
        "log_task_endings.py",
    ]
    assert all("hears" in names_in(path) for path in writers)


def names_in(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.attr for node in tree if isinstance(node, ast.Attribute)}
