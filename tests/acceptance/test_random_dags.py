"""Any graph without a cycle runs to its end in a legal order, also where steps are retried."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine import TaskHandle
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, kinds
from support.examples import examples

AT_ONCE = 10
EXAMPLES = examples(12)
RETRY = Retry(max_attempts=2, backoff="none")

versions = count(1)


class Flaky(Exception):
    """What the first attempt of some steps ends in."""


def run_step(step: StepContext) -> dict[str, Any]:
    if step.config["fails_once"] and step.attempt == 1:
        raise Flaky(step.step)
    # Every dependency's result is there, and says what it should.
    return {"sum": 1 + sum(result["sum"] for result in own(step).values())}


def own(step: StepContext) -> Mapping[str, Any]:
    return {name: step.results[name] for name in step.config["dependencies"]}


@st.composite
def workflows(draw: st.DrawFn) -> Workflow[dict[str, Any]]:
    """A graph of up to 12 steps: each depends on any of the steps before it."""
    workflow = Workflow("random", "dag", version=str(next(versions)))
    names: list[str] = []
    for number in range(draw(st.integers(1, 12))):
        after = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
        config = {"fails_once": draw(st.booleans()), "dependencies": after}
        names.append(f"step_{number}")
        workflow.step(name=names[-1], after=after, retry=RETRY, config=config)(run_step)
    return workflow


def expected_sums(workflow: Workflow[dict[str, Any]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for step in workflow.template.steps:
        sums[step.name] = 1 + sum(sums[name] for name in step.dependencies)
    return sums


def check(task: TaskHandle, workflow: Workflow[dict[str, Any]]) -> None:
    results = task.result(PATIENCE)
    history = task.history()

    assert_legal_order(history, workflow.template)
    assert {step: result["sum"] for step, result in results.items()} == expected_sums(workflow)
    for step in workflow.template.steps:
        failed = ["StepAttemptFailed", "StepEnqueued", "StepStarted"]
        again = failed if step.handler.initialization["fails_once"] else []
        expected = ["StepEnqueued", "StepStarted", *again, "StepCompleted"]
        assert kinds(history, step.name) == expected


@pytest.mark.timeout(120)
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(dags=st.lists(workflows(), min_size=AT_ONCE, max_size=AT_ONCE))
def test_random_graphs_run_to_their_end_in_a_legal_order(
    shared_harness: EngineHarness, dags: list[Workflow[dict[str, Any]]]
) -> None:
    with shared_harness.open(*dags) as engine:
        tasks = [(engine.submit(dag, {}), dag) for dag in dags]
        for task, dag in tasks:
            check(task, dag)
