"""Projections on an event loop, and what a step's status tells of its outcome."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine import AsyncEngine, StepState
from flowledger.engine.errors import (
    ProjectionBehind,
    ProjectionRefused,
    TaskNotCreated,
    UnknownProjection,
    UnknownStep,
    UnknownTask,
)
from flowledger.engine.events import TaskCreated
from flowledger.handlers import Retry, Workflow
from flowledger.projections import Cursor, Projection, on
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD

flow = Workflow("twins", "flow", version="1", on_failure="block")


@flow.step
def fine() -> dict[str, int]:
    return {"cents": 7}


@flow.step(after=[fine], retry=Retry(max_attempts=1))
def fails() -> None:
    raise ValueError("no such customer")


@flow.step(after=[fails])
def never() -> None:
    return


class Seen(Projection):
    name, version = "seen", 1
    tables = "create table {schema}.seen (task_id uuid primary key)"

    @on(TaskCreated)
    def created(self, event: TaskCreated, cursor: Cursor) -> None:
        cursor.execute("insert into seen values (%s)", (event.task_id,))


async def test_projections_are_waited_for_paused_and_rebuilt(harness: EngineHarness) -> None:
    engine = AsyncEngine(harness.open(flow, projections=[Seen]))
    projections = engine.projections
    task = await engine.submit(flow, {})
    assert await projections.wait_for("seen", timeout=PATIENCE) > 0
    assert [one.name for one in await projections.list() if one.name == "seen"] == ["seen"]

    await projections.pause("seen", **WORD)
    assert (await projections.status("seen")).standing == "paused"
    with pytest.raises(ProjectionBehind):
        await projections.wait_for("seen", 10**9, timeout=0.0)
    await projections.resume("seen", **WORD)
    rebuild = await projections.rebuild("seen", task=task.id, **WORD)
    done = await projections.wait_for_rebuild(rebuild, timeout=PATIENCE)

    assert (done.state, done.tasks) == ("failed", 0)
    assert "no forget(tasks, cursor)" in str(done.error)
    assert await projections.parked("seen") == []
    assert (
        await projections.retry_parked("seen", **WORD)
        == await projections.drop_parked("seen", **WORD)
        == 0
    )
    assert await projections.cancel_rebuild("seen", **WORD) == 0
    with pytest.raises(ProjectionRefused, match="does not stand at position 1"):
        await projections.skip("seen", position=1, **WORD)
    with pytest.raises(UnknownProjection):
        await projections.remove("nobody's", **WORD)


async def test_a_steps_status_has_its_result_or_its_error(harness: EngineHarness) -> None:
    engine = AsyncEngine(harness.open(flow))
    await engine.register(flow)
    task = await engine.submit(flow, {})
    harness.until(
        lambda: harness.value("select count(*) from flowledger.task where state = 'blocked'")
    )

    steps = await task.steps()

    assert (steps["fine"].state, steps["fine"].result) == (StepState.COMPLETE, {"cents": 7})
    assert steps["fails"].state is StepState.ERROR
    assert "ValueError: no such customer" in str(steps["fails"].error)
    assert (steps["never"].result, steps["never"].error) == (None, None)
    assert (await task.progress()).steps["complete"] == 1
    assert [one async for one in task.verify()] == []
    with pytest.raises(UnknownStep, match=r"no step .fin..*fine"):
        await task.step("fin").status()
    with pytest.raises(UnknownTask):
        await engine.task(uuid4()).step("fine").status()


async def test_the_status_of_a_step_that_nobody_has_met_is_said_to_be_unknown_yet(
    harness: EngineHarness,
) -> None:
    engine = AsyncEngine(harness.open(flow, roles=()))
    task = await engine.submit(flow, {})

    with pytest.raises(TaskNotCreated):
        await task.step("fine").status()


def test_an_option_that_there_is_not_is_refused_with_the_nearest(harness: EngineHarness) -> None:
    engine = harness.open(flow, roles=())
    wrong: dict[str, Any] = {"prority": 1}

    with pytest.raises(TypeError, match=r"submit\(\) has no option 'prority'.*priority"):
        engine.submit(flow, {}, **wrong)
    with pytest.raises(TypeError, match=r"submit_many\(\) has no option 'task_id'.*task_ids"):
        engine.submit_many(flow, [{}], task_id=uuid4())  # type: ignore[call-arg]
