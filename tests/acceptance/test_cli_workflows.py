"""Recorded runs of real workflows complete by the command, in a legal order."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.cli import Command
from support.engines import EngineHarness

FOLDER = Path(__file__).parents[3] / "shared" / "workflows"
FILES = sorted(FOLDER.glob("*.json"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"there are no workflows in {FOLDER}")


@pytest.fixture(scope="module")
def on_one_database(
    shared_harness: EngineHarness, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Command]:
    """The command on a database that all files share."""
    with ExitStack() as opened:
        yield Command(shared_harness.url, tmp_path_factory.mktemp("run"), opened)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_real_workflow_completes_in_a_legal_order(on_one_database: Command, path: Path) -> None:
    dependencies = dependencies_in(path)

    done = on_one_database("run", str(path), "--json")
    history = on_one_database("history", done.value["task"], "--json")

    assert done.code == 0, done.error
    assert done.value["state"] == "complete"
    assert done.value["steps"] == {
        name: {"state": "complete", "attempts": 1} for name in dependencies
    }
    assert done.value["events"] == len(history.lines)
    assert_legal(history.lines, dependencies)


def dependencies_in(path: Path) -> dict[str, set[str]]:
    """By both ends of each edge, as the format tells them."""
    tasks = json.loads(path.read_text("utf-8"))["workflow"]["specification"]["tasks"]
    found = {task["id"]: set(task["parents"]) for task in tasks}
    for task in tasks:
        for child in task["children"]:
            found[child].add(task["id"])
    return found


def assert_legal(history: list[dict[str, Any]], dependencies: dict[str, set[str]]) -> None:
    complete: set[str] = set()
    enqueued: set[str] = set()
    for line in history:
        if line["type"] == "StepEnqueued":
            assert dependencies[line["step"]] <= complete, line
            enqueued.add(line["step"])
        elif line["type"] == "StepCompleted":
            assert line["step"] not in complete, line
            complete.add(line["step"])
    assert enqueued == complete == set(dependencies)
