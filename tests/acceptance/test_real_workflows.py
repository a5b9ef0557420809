"""Recorded runs of real scientific workflows, replayed without their waiting times."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from flowledger.engine import Engine, StepState, TaskState
from flowledger.handlers import Registry, TemplateWorkflow, load_workflow_file
from support.engines import PATIENCE, EngineHarness, assert_legal_order

FOLDER = Path(__file__).parents[2].parent / "shared" / "workflows"
FILES = sorted(FOLDER.glob("*.json"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"the recorded workflows are not in {FOLDER}")


@cache
def workflow_of(path: Path) -> TemplateWorkflow:
    return load_workflow_file(path, Registry())


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(*map(workflow_of, FILES))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_workflow_runs_to_its_end_in_a_legal_order(engine: Engine, path: Path) -> None:
    workflow = workflow_of(path)

    task = engine.submit(workflow, {})

    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert_legal_order(task.history(), workflow.template)
    assert {step.state for step in task.steps().values()} == {StepState.COMPLETE}
    assert task.result().keys() == {step.name for step in workflow.template.steps}
