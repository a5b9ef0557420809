"""What a handler does to the values that it was given is seen by nobody else."""

from __future__ import annotations

from typing import Any

from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness

CONFIG: dict[str, Any] = {"headers": {"Accept": "json"}, "list": [1]}
CONTEXT: dict[str, Any] = {"order": {"lines": [1, 2]}}
RESULT: dict[str, Any] = {"n": [1], "deep": {"er": []}}

flow = Workflow("values", "mutated", version="1")


def spoil(value: Any) -> None:
    """Change everything that can be changed in it."""
    if isinstance(value, dict):
        for part in list(value.values()):
            spoil(part)
        value["spoiled"] = True
    elif isinstance(value, list):
        for part in value:
            spoil(part)
        value.append("spoiled")


@flow.step
def first(context: dict[str, Any]) -> dict[str, Any]:
    spoil(context)
    return RESULT


@flow.step(after=[first], config=CONFIG, retry=Retry(max_attempts=2, backoff="none"))
def second(first: dict[str, Any], context: dict[str, Any], step: StepContext) -> list[Any]:
    """The first attempt spoils everything and fails; the second says what it was given."""
    if step.attempt > 1:
        assert step.results["first"] == first
        return [context, first, dict(step.config), step.last_checkpoint]
    state: Any = {"done": [1]}
    step.checkpoint(state)
    for value in (first, context, step.results["first"], step.config, state):
        spoil(value)
    raise OSError("again")


@flow.step(after=[first, second], config=CONFIG)
async def third(first: Any, second: list[Any], context: Any, step: StepContext) -> list[Any]:
    return [context, first, dict(step.config), second]


def test_the_next_attempt_the_next_step_and_the_next_task_are_given_what_was_stored(
    harness: EngineHarness,
) -> None:
    engine = harness.open(flow)

    for _ in range(2):
        found = engine.submit(flow, CONTEXT).result(PATIENCE)

        assert found["first"] == RESULT
        assert found["second"] == [CONTEXT, RESULT, CONFIG, {"done": [1]}]
        assert found["third"] == [CONTEXT, RESULT, CONFIG, found["second"]]
