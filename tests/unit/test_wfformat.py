"""Recorded runs in WfFormat as workflows."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.errors import InvalidTemplate
from flowledger.handlers import Registry, TemplateWorkflow, load_wfformat, load_workflow_file

RECORDED = Path(__file__).parents[2] / "../shared/workflows"


def document(**changes: Any) -> dict[str, Any]:
    tasks = [
        {"id": "a", "name": "a", "parents": [], "children": ["b-1", "c"]},
        {"id": "b-1", "name": "b", "parents": ["a"], "children": ["d"]},
        {"id": "c", "name": "c", "parents": ["a"], "children": ["d"]},
        {"id": "d", "name": "d", "parents": ["b-1", "c"], "children": []},
    ]
    runs = [{"id": task["id"], "runtimeInSeconds": 1.5} for task in tasks]
    plain = {
        "name": "My run (1)",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {"tasks": changes.get("tasks", tasks)},
            "execution": {"tasks": changes.get("runs", runs)},
        },
    }
    return {**plain, **changes.get("top", {})}


def load(tmp_path: Path, data: object, time_scale: float = 0.0) -> TemplateWorkflow:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(data))
    return load_wfformat(path, time_scale)


def call(step: str) -> StepCall:
    return StepCall(
        task_id=UUID(int=1),
        step_id=UUID(int=2),
        namespace="wfformat",
        template="x",
        version="1",
        step=step,
        attempt=1,
        idempotency_key="k",
        correlation_id="c",
        config={},
        context=None,
        results={},
    )


def test_tasks_are_steps_and_parents_are_dependencies(tmp_path: Path) -> None:
    template = load(tmp_path, document()).template
    assert (template.namespace, template.name) == ("wfformat", "My-run-1-")
    assert {step.name: set(step.dependencies) for step in template.steps} == {
        "a": set(),
        "b-1": {"a"},
        "c": {"a"},
        "d": {"b-1", "c"},
    }


def test_an_edge_told_by_the_parent_alone_counts(tmp_path: Path) -> None:
    data = document(
        tasks=[
            {"id": "a", "parents": [], "children": ["b"]},
            {"id": "b", "parents": [], "children": []},
        ],
        runs=[],
    )
    assert load(tmp_path, data).template.steps[1].dependencies == ("a",)


def test_the_version_follows_the_content_and_not_the_time_scale(tmp_path: Path) -> None:
    one = load(tmp_path, document()).template
    same = load(tmp_path, document(), time_scale=2.0).template
    other = load(tmp_path, document(runs=[{"id": "a", "runtimeInSeconds": 9}])).template
    assert one == same
    assert one.definition_hash == same.definition_hash
    assert (one.name, one.version) != (other.name, other.version)
    assert one.name == other.name


def test_a_step_waits_its_runtime_times_the_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)
    for scale in (0.0, 2.0):
        handler = load(tmp_path, document(), scale).handlers["a"]
        assert handler.is_async
        assert asyncio.run(handler(call("a"))) == {"runtime_seconds": 1.5}  # type: ignore[arg-type]
    assert waits == [3.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top": {"workflow": {}}}, "workflow.specification: is missing"),
        ({"top": {"name": 3}}, "name: should be a valid string, got 3 (int)"),
        ({"tasks": [], "runs": []}, "steps: expected at least one step"),
        (
            {"tasks": [{"id": "a", "parents": ["z"], "children": []}], "runs": []},
            "workflow.specification.tasks[0].parents[0]: unknown task 'z'",
        ),
        (
            {"tasks": [{"id": "a", "parents": [], "children": ["z"]}], "runs": []},
            "workflow.specification.tasks[0].children[0]: unknown task 'z'",
        ),
        (
            {"runs": [{"id": "z", "runtimeInSeconds": 1}]},
            "workflow.execution.tasks[0].id: unknown task 'z'",
        ),
        (
            {"runs": [{"id": "a", "runtimeInSeconds": -1}]},
            "workflow.execution.tasks[0].runtimeInSeconds: should be greater than or equal to 0,"
            " got -1 (int)",
        ),
        (
            {"tasks": [{"id": "a", "parents": ["a"], "children": []}], "runs": []},
            "steps: dependencies form a cycle: a -> a",
        ),
        (
            {"tasks": [{"id": "a", "parents": [], "children": []}] * 2, "runs": []},
            "steps[1].name: duplicate step 'a', first at steps[0]",
        ),
        (
            {"tasks": [{"id": " ", "parents": [], "children": []}]},
            "workflow.specification.tasks[0].id: a step's name is printable",
        ),
    ],
)
def test_a_bad_run_is_refused_with_its_file_and_place(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidTemplate) as error:
        load(tmp_path, document(**changes))
    assert str(error.value).startswith(f"{tmp_path / 'run.json'}: {message}")


def test_a_negative_time_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="time_scale should be 0 or more"):
        load(tmp_path, document(), time_scale=-1)


@pytest.mark.parametrize(
    "path",
    sorted(RECORDED.glob("*.json")) or [None],
    ids=lambda path: path.stem if path else "none",
)
def test_every_recorded_run_loads_with_all_its_tasks(path: Path | None) -> None:
    if path is None:
        pytest.skip("there are no recorded runs beside this checkout")
    tasks = json.loads(path.read_text())["workflow"]["specification"]["tasks"]
    workflow = load_workflow_file(path, Registry())
    dependencies = {step.name: set(step.dependencies) for step in workflow.template.steps}
    assert dependencies == {task["id"]: set(task["parents"]) for task in tasks}
    assert workflow.handlers.keys() == dependencies.keys()
