"""What operators and readers are told beside a row that no engine writes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from flowledger.engine.cli.program import program
from flowledger.engine.client.task import TaskHandle
from flowledger.handlers import Workflow
from support.engines import EngineHarness

VIEWS = (
    "select oid::regclass::text from pg_class"
    " where relnamespace = 'flowledger_v1'::regnamespace and relkind = 'v'"
)
COMMANDS = [
    ("status", "{task}"),
    ("explain", "{task}"),
    ("verify", "--all"),
    ("health",),
    ("tasks", "list"),
    ("templates", "list"),
]


def queued(harness: EngineHarness, flow: Workflow[dict[str, object]]) -> TaskHandle:
    """A task whose step is queued, and nobody there to claim it or decide."""
    client = harness.open(flow, roles=["coordinator"])
    task = client.submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    client.close()
    return task


def told(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> str:
    """What a command prints, which ends without a traceback."""
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", url)
    answer = CliRunner().invoke(program, arguments)
    if answer.exception and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.output


def everything_told(
    monkeypatch: pytest.MonkeyPatch, harness: EngineHarness, task: TaskHandle
) -> dict[str, str]:
    """What each command prints, by its first word, where every public view can be read, too."""
    for (view,) in harness.rows(VIEWS):
        harness.rows(f"select * from {view}")  # noqa: S608 - the catalogue's
    return {
        command[0]: told(monkeypatch, harness.url, *(part.format(task=task.id) for part in command))
        for command in COMMANDS
    }
