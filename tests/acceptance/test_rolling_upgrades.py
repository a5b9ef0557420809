"""A rolling upgrade that leaves tasks of the old version behind is told; they go on in the end."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import PATIENCE, EngineHarness


def version(number: str) -> Workflow[dict[str, Any]]:
    """The workflow in a version."""
    flow = Workflow("upgrades", "flow", version=number)

    @flow.step
    def only(context: dict[str, Any]) -> int:
        return context["number"]

    return flow


def test_tasks_of_a_version_that_no_worker_has_are_told_once_with_counts(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flowledger")
    old, new = version("1"), version("2")
    engine = harness.open(old, new, roles=["coordinator"], coordinator={"reconcile_seconds": 0.05})
    left = engine.submit_many(old, [{"number": number} for number in range(3)])
    harness.open(new, roles=["worker"])
    assert engine.submit(new, {"number": 7}).result(PATIENCE) == {"only": 7}

    harness.until(lambda: "3 of upgrades/flow@1" in str(engine.health["templates"].error))

    assert "upgrades/flow@2" not in str(engine.health["templates"].error)
    served = harness.value("select serves from flowledger_v1.workers")
    assert served == ["upgrades/flow@2"]

    harness.open(old, roles=["worker"])
    assert [task.result(PATIENCE)["only"] for task in left] == [0, 1, 2]
    harness.until(lambda: engine.health["templates"].ok)
    told = [r.getMessage() for r in caplog.records if "coordinator.unserved" in r.getMessage()]
    assert sum("upgrades/flow@1" in line and ": 3" in line for line in told) == 1


def test_the_list_of_templates_has_the_open_tasks_of_each_version(
    harness: EngineHarness, command: Command
) -> None:
    flow = version("1")
    engine = harness.open(flow, roles=["coordinator"])
    engine.submit(flow, {"number": 1})
    harness.until(lambda: harness.value("select count(*) from flowledger.task") == 1)

    assert command("templates", "list", "--json").value["open_tasks"] == 1
