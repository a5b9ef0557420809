"""A paused template queues nothing, in any process, until it is resumed."""

from __future__ import annotations

import pytest

from flowledger.engine import TaskState
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, kinds
from support.limits import waiting_steps

KEY = "paused/flow@1"
flow = Workflow("paused", "flow", version="1")


@flow.step
def only() -> int:
    return 1


other = Workflow("paused", "other", version="1")


@other.step
def free() -> int:
    return 1


def test_its_tasks_wait_and_go_on_when_it_is_resumed(harness: EngineHarness) -> None:
    engine = harness.open(flow, other)
    assert engine.pause_template(KEY, reason="a bug", actor="ann")
    tasks = [engine.submit(flow, {}) for _ in range(3)]
    beside = engine.submit(other, {})

    assert beside.wait(PATIENCE) is TaskState.COMPLETE
    harness.until(lambda: len(waiting_steps(harness)) == 3)
    assert {kind for _, kind, _ in waiting_steps(harness)} == {"template"}
    assert {tuple(kinds(task.history(), "only")) for task in tasks} == {()}
    engine.resume_template(KEY, reason="fixed", actor="ann")

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    assert waiting_steps(harness) == []


@pytest.mark.parametrize("shards", [1, 2])
def test_what_is_queued_already_is_taken_back_and_waits(
    harness: EngineHarness, shards: int
) -> None:
    engine = harness.open(flow, other, roles=["coordinator"], coordinator={"shards": shards})
    tasks = engine.submit_many(flow, [{}] * 5)
    beside = engine.submit(other, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 6)

    engine.pause_template(KEY, reason="a bug", actor="ann")

    harness.until(lambda: len(waiting_steps(harness)) == 5)
    harness.open(flow, other, roles=["worker"])
    assert beside.wait(PATIENCE) is TaskState.COMPLETE
    for task in tasks:
        assert kinds(task.history(), "only") == ["StepEnqueued", "StepDequeued"]
    engine.resume_template(KEY, reason="fixed", actor="ann")
    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    assert list(engine.verify()) == []


def test_it_stays_paused_for_the_next_coordinator(harness: EngineHarness) -> None:
    client = harness.open(flow, roles=["worker"])
    leader = harness.open(roles=["coordinator"])
    client.pause_template(KEY, reason="a bug", actor="ann")
    before = client.submit(flow, {})
    harness.until(lambda: len(waiting_steps(harness)) == 1)
    leader.close()
    harness.open(roles=["coordinator"])
    after = client.submit(flow, {})
    harness.until(lambda: len(waiting_steps(harness)) == 2)

    client.resume_template(KEY, reason="fixed", actor="ann")

    assert {before.wait(PATIENCE), after.wait(PATIENCE)} == {TaskState.COMPLETE}


def test_a_template_that_is_paused_and_resumed_while_nobody_leads_is_not_paused(
    harness: EngineHarness,
) -> None:
    client = harness.open(flow, roles=["worker"])
    client.pause_template(KEY, reason="a bug", actor="ann")
    task = client.submit(flow, {})
    client.resume_template(KEY, reason="fixed", actor="ann")

    harness.open(roles=["coordinator"])

    assert task.wait(PATIENCE) is TaskState.COMPLETE
