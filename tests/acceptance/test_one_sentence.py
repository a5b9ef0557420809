"""What goes wrong at the edges is said in one sentence of the engine's own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from flowledger.engine import Engine
from flowledger.engine.errors import InvalidRequest
from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import PATIENCE, EngineHarness

ENDS_ITSELF = "import sys\nsys.exit(0)\n"
FILE = "{namespace: a, name: b, version: '1', steps: [{name: x, handler: {callable: 'ends:x'}}]}"

flow = Workflow("one", "sentence", version="1")
flow.step(name="a")(lambda: 1)


class Moment(datetime):
    """As libraries for times make it."""


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(flow)


@pytest.fixture
def command(shared_harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(shared_harness.url, tmp_path, opened)


def test_times_may_be_of_other_libraries(engine: Engine) -> None:
    now = datetime.now(UTC)
    start = Moment(now.year, now.month, now.day, tzinfo=UTC)
    later = start + timedelta(days=2)

    task = engine.submit(flow, {}, start_at=start, deadline_at=later)

    assert task.result(PATIENCE) == {"a": 1}
    created: Any = task.history()[0].event
    assert (created.start_at, created.deadline_at) == (start, later)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (lambda task: task.annotate("kind", 1), "task.annotated: actor must be given"),
        (lambda task: task.tag("x"), "task.tagged: actor must be given"),
        (lambda task: task.untag("x"), "task.untagged: actor must be given"),
        (lambda task: task.cancel(), "task.cancel_requested: reason must be given"),
        (lambda task: task.cancel(reason="why"), "task.cancel_requested: actor must be given"),
        (lambda task: task.tag("x", actor="a", by="b"), "task.tagged: 'by' is nothing that it"),
        (lambda task: task.step("a").skip(reason="r", actor="a", x=1), "'x' is nothing that it"),
    ],
)
def test_who_does_not_say_who_and_why_is_told(engine: Engine, note: Any, said: str) -> None:
    task = engine.submit(flow, {})

    with pytest.raises(InvalidRequest, match=said):
        note(task)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "ends:flow"),
        ("worker", "ends:flow"),
        ("run", "file.yaml"),
        ("worker", "file.yaml", "--handlers", "ends"),
        ("submit", "ends:flow"),
    ],
    ids=" ".join,
)
def test_a_module_that_ends_its_process_is_an_error(
    command: Command, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "ends.py").write_text(ENDS_ITSELF)
    (tmp_path / "file.yaml").write_text(FILE)

    done = command(*arguments)

    assert done.code == 2
    assert "it calls sys.exit(0) when it is imported" in done.error
    assert "Traceback" not in done.error


def test_a_role_that_may_not_create_the_schema_is_told(
    server: str, empty_database: str, tmp_path: Path
) -> None:
    role, name = f"lesser_{uuid4().hex[:12]}", urlsplit(empty_database).path[1:]
    with psycopg.connect(server, autocommit=True) as admin, ExitStack() as opened:
        admin.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        opened.callback(admin.execute, sql.SQL("drop role {}").format(sql.Identifier(role)))
        parts = urlsplit(empty_database)
        host = parts.netloc.rpartition("@")[2]
        lesser = urlunsplit(parts._replace(netloc=f"{role}@{host}"))
        assert name

        done = Command(lesser, tmp_path, opened)("db", "migrate")

    assert done.code == 2
    assert done.error.startswith("error: this role may not create the engine's schema")
    assert len(done.error.splitlines()) == 1
