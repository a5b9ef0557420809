"""A handler that waits for a task keeps its place: whoever writes one is warned."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import Engine
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

inner = Workflow("waiting", "inner", version="1")
outer = Workflow("waiting", "outer", version="1")
later = Workflow("waiting", "later", version="1")
asking = Workflow("waiting", "asking", version="1")

engines: list[Engine] = []


@inner.step
def works() -> str:
    return "well"


@outer.step
def waits() -> Any:
    return dict(engines[-1].submit(inner, {}).result(PATIENCE))


@later.step
async def waits_on_a_thread() -> Any:
    task = engines[-1].submit(inner, {})
    return dict(await asyncio.to_thread(task.result, PATIENCE))


@asking.step
def asks_for_nothing(context: dict[str, str]) -> str:
    return engines[-1].task(UUID(context["task"])).wait(PATIENCE)


@pytest.mark.parametrize("flow", [outer, later], ids=["thread", "coroutine"])
def test_the_first_wait_of_a_step_is_warned_of_and_goes_on(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture, flow: Workflow[dict[str, Any]]
) -> None:
    engine = harness.open(inner, flow, worker={"concurrency": 3})
    engines.append(engine)

    for _ in range(2):
        (found,) = engine.submit(flow, {}).result(PATIENCE).values()
        assert found == {"works": "well"}

    warned = [one for one in caplog.records if one.getMessage().startswith("handler.waits")]
    assert [one.levelname for one in warned] == ["WARNING"]
    assert f"step={flow.template.steps[0].name}" in warned[0].getMessage()


def test_neither_applications_nor_handlers_that_need_not_wait_are_warned(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    engine = harness.open(inner, asking)
    engines.append(engine)
    ended = engine.submit(inner, {})
    ended.result(PATIENCE)

    task = engine.submit(asking, {"task": str(ended.id)})

    assert task.result(PATIENCE) == {"asks_for_nothing": "complete"}
    assert "handler.waits" not in caplog.text
