"""What the page on architecture names exists, and nothing that appends is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import psycopg
import pytest

from flowledger.engine import Engine
from flowledger.engine.config import load_settings
from flowledger.engine.events.engine_actions import ENGINE_ACTIONS
from flowledger.engine.events.notes import NOTES
from flowledger.engine.events.registry import DECISIONS, FACTS
from flowledger.engine.events.requests import REQUESTS
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateResumed
from flowledger.handlers import Workflow

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def rows(writer: str) -> str:
    return "\n".join(line for line in ARCHITECTURE.splitlines() if line.startswith(f"| {writer} |"))


def test_the_table_of_writers_names_every_event_once() -> None:
    named = {
        writer: re.findall(r"`([A-Z]\w+)`", rows(writer))
        for writer in ("engine API", "worker", "coordinator", "a trigger of the schema")
    }

    by_a_trigger = ["ClockMoved"]
    actions = [kind for kind in ENGINE_ACTIONS if kind.__name__ not in by_a_trigger]
    of_the_engine = (*actions, TemplatePaused, TemplateResumed)
    of_the_api = (TaskCreated, *REQUESTS, *NOTES, *of_the_engine)
    assert sorted(named["engine API"]) == sorted(kind.__name__ for kind in of_the_api)
    assert sorted(named["worker"]) == sorted(
        kind.__name__ for kind in FACTS if kind not in of_the_api
    )
    assert named["a trigger of the schema"] == by_a_trigger
    assert sorted(named["coordinator"]) == sorted(kind.__name__ for kind in DECISIONS)


def test_every_file_that_is_named_exists() -> None:
    text = ARCHITECTURE + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`((?:engine|handlers|sql|projections|docs|tests)/[\w./]*)(?::\w+)?`", text)

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_stop_of_a_steps_life_is_a_function_to_open() -> None:
    stops = re.findall(r"^\| \d+ \|.*$", ARCHITECTURE, re.MULTILINE)
    named = re.findall(r"`((?:engine|handlers)/[\w./]+\.py):(\w+)`", "\n".join(stops))

    assert len(stops) == 10
    assert len(named) > 12
    assert [one for one in named if one[1] not in functions(ROOT / one[0])] == []


def test_the_log_is_read_with_the_librarys_verbs(
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", database)
    workflow = Workflow("shop", "order", version="1.0.0")

    @workflow.step
    def pack() -> str:
        return "packed"

    settings = load_settings()
    with Engine.open(workflows=[workflow], settings=settings) as engine:
        engine.submit(workflow, {}).result(timeout=60)

    exec(example, {})  # noqa: S102 - our own page

    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["step.completed", "StepCompleted"] in [line[1:] for line in told]
    assert [int(line[0]) for line in told] == sorted(int(line[0]) for line in told)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_table_that_is_named_exists(connection: psycopg.Connection) -> None:
    text = ARCHITECTURE + (ROOT / "README.md").read_text("utf-8").partition("```text")[2]
    named = set(re.findall(r"flowledger\.([a-z]+)\b", text)) - {
        "engine",
        "handlers",
        "projections",
        "yaml",
    }

    found = connection.execute(
        "select tablename from pg_tables where schemaname = 'flowledger'"
    ).fetchall()

    assert {"event", "queue", "task", "step", "timer", "submission", "worker"} <= named
    assert named - {name for (name,) in found} == set()
