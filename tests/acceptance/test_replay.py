"""A task folded from its log by an application: the states after each event, and differences."""

from __future__ import annotations

from uuid import uuid4

import pytest

from flowledger.engine import AsyncEngine, UnknownTask
from flowledger.engine.events.step import StepStarted
from support.controlled_steps import begin
from support.engines import PATIENCE, EngineHarness, kinds
from support.explain_workflows import chain


async def test_a_task_is_told_state_by_state_on_a_loop_as_beside_one(
    harness: EngineHarness,
) -> None:
    engine = harness.open(chain)
    _, task = begin(engine, chain)
    task.wait(PATIENCE)

    told = task.replay()

    assert [type(frame.event).__name__ for frame in told.frames] == kinds(task.history())
    started = next(one for one in told.frames if isinstance(one.event, StepStarted))
    assert (started.state, started.steps["in_progress"]) == ("in_progress", 1)
    assert told.frames[-1].state == "complete"
    assert await AsyncEngine(engine).task(task.id).replay() == told


def test_rows_that_are_not_the_fold_of_the_log_are_named(harness: EngineHarness) -> None:
    engine = harness.open(chain)
    _, task = begin(engine, chain)
    task.wait(PATIENCE)
    harness.until(lambda: not task.replay().waiting)
    assert not task.replay().differences

    harness.rows("update flowledger.task set priority = 7")

    assert [str(one) for one in task.replay().differences] == [
        "task: priority is 7 in the row, and 0 by the log"
    ]


def test_a_task_that_is_not_there_is_unknown(harness: EngineHarness) -> None:
    with pytest.raises(UnknownTask):
        harness.open(chain, roles=()).task(uuid4()).replay()
