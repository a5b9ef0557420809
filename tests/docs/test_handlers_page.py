"""The page on handlers: its examples are workflows, its statement runs, its settings exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

from flowledger.engine.config import KNOWN
from flowledger.handlers import Workflow

PAGE = (Path(__file__).parents[2] / "docs" / "handlers.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_example_declares_a_workflow() -> None:
    assert len(blocks("python")) > 1
    for block in blocks("python"):
        names: dict[str, Any] = {"__name__": "example"}
        exec(block, names)  # noqa: S102 - our own page
        (flow,) = [value for value in names.values() if isinstance(value, Workflow)]
        assert flow.template.steps


def test_the_statement_runs(connection: psycopg.Connection) -> None:
    (statement,) = blocks("sql")

    assert connection.execute(statement.encode()).fetchall() == []


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:worker|coordinator)\.[a-z_]+)`", PAGE)) - {"worker.stuck"}
    known = {f"{section}.{key}" for section, keys in KNOWN.items() for key in keys}

    assert len(named) > 6
    assert named - known == set()
