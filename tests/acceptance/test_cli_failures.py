"""What people are told of a handler that raised: its error everywhere, its traceback on request."""

from __future__ import annotations

import logging

import psycopg
import pytest

from flowledger.engine import TaskNotCompleted
from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import PATIENCE, EngineHarness

FILE = """namespace: shop
name: failing
version: "1"
steps:
- name: charge
"""
HANDLERS = """def charge(context: dict) -> int:
    return look_up(context)


def look_up(context: dict) -> int:
    return context["no\\x1bpe"]
"""

flow = Workflow("shop", "raising", version="1")


@flow.step
def charge() -> None:
    raise KeyError("nope")


def test_every_command_names_the_error_and_those_of_one_task_show_the_traceback(
    command: Command,
) -> None:
    command.write("hands.py", HANDLERS)
    file = command.write("failing.yaml", FILE)
    ran = command("run", file, "--handlers", "hands")
    with psycopg.connect(command.environment["FLOWLEDGER_DATABASE__URL"]) as connection:
        ((task,),) = connection.execute("select task_id::text from flowledger.task").fetchall()

    told = {
        "run": ran.out + ran.error,
        "status": command("status", task).out,
        "history": command("history", task).out,
        "explain": command("explain", task).out,
    }
    shown = {
        "status": command("status", task, "--verbose").out,
        "history": command("history", task, "-v").out,
        "timeline": command("history", task, "--timeline", "-v").out,
    }

    for text in (*told.values(), *shown.values()):
        assert "KeyError: 'no" in text
        assert "\x1b" not in text
    assert not [name for name, text in told.items() if "in look_up" in text]
    for text in shown.values():
        assert "Traceback (most recent call last):" in text
        assert "in look_up" in text


def test_an_application_is_told_and_the_workers_log_has_it_at_debug(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "flowledger")
    task = harness.open(flow).submit(flow, {})

    with pytest.raises(TaskNotCompleted, match="charge: KeyError: 'nope'"):
        task.result(PATIENCE)

    (raised,) = [one for one in caplog.records if one.getMessage().startswith("worker.step_raised")]
    assert raised.levelname == "DEBUG"
    assert "in charge" in raised.getMessage()
