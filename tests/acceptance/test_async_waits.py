"""Waiting on an event loop holds no thread: whoever asks meanwhile is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flowledger.engine import AsyncEngine, AsyncTaskHandle
from flowledger.handlers import Workflow
from flowledger.projections.builtin import Notes
from support.engines import PATIENCE, EngineHarness

ASKING: Any = {"reason": "test", "actor": "ada", "timeout": PATIENCE}
THREADS, WAITS = 2, 20

flow = Workflow("waits", "flow", version="1")


@flow.step
def only(context: dict[str, Any]) -> int:
    return int(context["number"])


Wait = Callable[[AsyncEngine, AsyncTaskHandle], Awaitable[Any]]

WAITING: dict[str, Wait] = {
    "projections.wait_for": lambda engine, _: engine.projections.wait_for("flowledger_notes"),
    "result": lambda _, task: task.result(PATIENCE),
    "cancel": lambda _, task: task.cancel(**ASKING),
    "cancel_many": lambda engine, task: engine.cancel_many([task.id], **ASKING),
    "reset_many": lambda engine, task: engine.reset_many([task.id], **ASKING),
}


@pytest.mark.parametrize("wait", WAITING.values(), ids=WAITING)
@pytest.mark.parametrize("later", [False, True], ids=["stored", "on a connection"])
async def test_a_submission_does_not_wait_behind_those_who_wait(
    harness: EngineHarness, wait: Wait, later: bool
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    harness.open(flow, roles=("projector",), projections=[Notes]).projections.pause(
        "flowledger_notes", actor="ann", reason="a test"
    )
    engine = AsyncEngine(harness.open(flow, roles=()))
    connection = harness.connect() if later else None
    task = await engine.submit(flow, {"number": 1}, connection=connection)
    if connection:
        connection.commit()
    waits = [asyncio.ensure_future(wait(engine, task)) for _ in range(WAITS)]

    for number in range(3):
        await engine.submit(flow, {"number": number})

    assert not any(one.done() for one in waits)
    for one in waits:
        one.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def test_answers_arrive_at_all_who_wait_for_them(harness: EngineHarness) -> None:
    engine = AsyncEngine(harness.open(flow, roles=()))
    with harness.connect() as connection:
        task = await engine.submit(flow, {"number": 1}, connection=connection)
        connection.commit()
    asked = asyncio.ensure_future(engine.cancel_many([task.id], **ASKING))
    other = asyncio.ensure_future(engine.reset_many([task.id], **ASKING))
    await asyncio.sleep(0)
    harness.open(flow, roles=("coordinator",))

    (cancelled,), (reset,) = await asyncio.wait_for(asyncio.gather(asked, other), PATIENCE)

    answers = await asyncio.to_thread(lambda: (cancelled.refusal, reset.refusal))
    assert None in answers
