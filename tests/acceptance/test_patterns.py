"""The shapes that workflows have, run by the whole engine; order and parallelism from the log."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Barrier
from typing import Any

import pytest

from flowledger.engine import Engine
from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.events.step import StepCompleted, StepStarted
from flowledger.handlers import StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, kinds, of_kind
from support.manual_coordinator import row_differences

Edges = Mapping[str, tuple[str, ...]]

LINEAR = {
    "linear_step_1": (),
    "linear_step_2": ("linear_step_1",),
    "linear_step_3": ("linear_step_2",),
    "linear_step_4": ("linear_step_3",),
}
DIAMOND = {
    "diamond_start": (),
    "diamond_branch_b": ("diamond_start",),
    "diamond_branch_c": ("diamond_start",),
    "diamond_merge": ("diamond_branch_b", "diamond_branch_c"),
}
PARALLEL_MERGE = {
    "parallel_step_1": (),
    "parallel_step_2": (),
    "parallel_step_3": (),
    "parallel_merge": ("parallel_step_1", "parallel_step_2", "parallel_step_3"),
}
TREE = {
    "tree_root": (),
    "tree_branch_left": ("tree_root",),
    "tree_branch_right": ("tree_root",),
    "tree_leaf_d": ("tree_branch_left",),
    "tree_leaf_e": ("tree_branch_left",),
    "tree_leaf_f": ("tree_branch_right",),
    "tree_leaf_g": ("tree_branch_right",),
}
MIXED_DAG = {
    "dag_init": (),
    "dag_process_left": ("dag_init",),
    "dag_process_right": ("dag_init",),
    "dag_validate": ("dag_process_left", "dag_process_right"),
    "dag_transform": ("dag_process_left",),
    "dag_analyze": ("dag_process_right",),
    "dag_finalize": ("dag_validate", "dag_transform", "dag_analyze"),
}
FAN_OUT = {
    "fan_start": (),
    **{f"fan_{number}": ("fan_start",) for number in range(50)},
    "fan_join": tuple(f"fan_{number}" for number in range(50)),
}

# Steps that must run at the same moment: each waits at the barrier for the others.
MEETINGS = dict.fromkeys(("diamond_branch_b", "diamond_branch_c"), Barrier(2))


def counted(step: StepContext) -> dict[str, Any]:
    """How many ancestors a step has; steps with a meeting wait for those whom they meet."""
    if step.step in MEETINGS:
        MEETINGS[step.step].wait(PATIENCE)
    return {"ancestors": sorted(step.results)}


def shape(name: str, edges: Edges) -> Workflow[dict[str, Any]]:
    workflow = Workflow("patterns", name, version="1")
    for step, dependencies in edges.items():
        workflow.step(name=step, after=dependencies)(counted)
    return workflow


WORKFLOWS = {
    name: shape(name, edges)
    for name, edges in {
        "linear": LINEAR,
        "diamond": DIAMOND,
        "parallel_merge": PARALLEL_MERGE,
        "tree": TREE,
        "mixed_dag": MIXED_DAG,
        "fan_out": FAN_OUT,
    }.items()
}


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(*WORKFLOWS.values())


def ancestors(edges: Edges, step: str) -> set[str]:
    return {name for parent in edges[step] for name in {parent, *ancestors(edges, parent)}}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_shape_runs_to_its_end_in_a_legal_order(engine: Engine, name: str) -> None:
    workflow = WORKFLOWS[name]
    edges = {step.name: step.dependencies for step in workflow.template.steps}

    task = engine.submit(workflow, {})
    result = task.result(PATIENCE)

    assert_legal_order(task.history(), workflow.template)
    assert {step: set(found["ancestors"]) for step, found in result.items()} == {
        step: ancestors(edges, step) for step in edges
    }


@pytest.mark.parametrize("name", ["linear", "diamond", "tree"])
def test_each_step_is_queued_started_and_completed_once(engine: Engine, name: str) -> None:
    task = engine.submit(WORKFLOWS[name], {})
    task.result(PATIENCE)

    history = task.history()

    for step in WORKFLOWS[name].template.steps:
        assert kinds(history, step.name) == ["StepEnqueued", "StepStarted", "StepCompleted"]
    assert kinds(history)[:2] == ["TaskCreated", "TaskStarted"]
    assert kinds(history)[-1] == "TaskCompleted"


def test_both_branches_of_a_diamond_run_at_once(engine: Engine) -> None:
    task = engine.submit(WORKFLOWS["diamond"], {})
    task.result(PATIENCE)

    history = task.history()
    places = {
        (type(recorded.event), getattr(recorded.event, "step", "")): recorded.position
        for recorded in history
    }
    started = [places[StepStarted, branch] for branch in ("diamond_branch_b", "diamond_branch_c")]
    ended = [places[StepCompleted, branch] for branch in ("diamond_branch_b", "diamond_branch_c")]

    assert max(started) < min(ended)


def test_the_dependents_of_one_step_are_queued_together(engine: Engine) -> None:
    task = engine.submit(WORKFLOWS["fan_out"], {})
    task.result(PATIENCE)

    names = kinds(task.history())
    first = names.index("StepCompleted") + 1

    assert names[first : first + 50] == ["StepEnqueued"] * 50
    assert len(of_kind(task.history(), StepStarted)) == 52


def test_many_tasks_of_all_shapes_run_beside_each_other(engine: Engine) -> None:
    """A batch in the proportions of everyday work; the diamond's barrier is for one at a time."""
    batch = {"linear": 35, "parallel_merge": 20, "tree": 15, "mixed_dag": 10}
    submitted = [
        (name, task)
        for name, count in batch.items()
        for task in engine.submit_many(WORKFLOWS[name], [{}] * count)
    ]

    for name, task in submitted:
        task.result(PATIENCE)
        assert_legal_order(task.history(), WORKFLOWS[name].template)


@pytest.mark.parametrize("size", [1, 7])
def test_every_shape_ends_as_the_log_says_where_the_coordinator_always_hurries(
    harness: EngineHarness, size: int
) -> None:
    engine = harness.open(
        *WORKFLOWS.values(), coordinator={"pipeline_events": 1, "batch_size": size}
    )
    submitted = [(workflow, engine.submit(workflow, {})) for workflow in WORKFLOWS.values()]

    for workflow, task in submitted:
        task.result(PATIENCE)
        assert_legal_order(task.history(), workflow.template)
    with engine_pool(harness.url, harness.settings()) as pool:
        for workflow, task in submitted:
            assert row_differences(pool, task.id, workflow) == []
