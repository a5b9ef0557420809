"""A paused template queues nothing, in any process, until it is resumed."""

from __future__ import annotations

import pytest

from flowledger.engine import TaskState
from flowledger.handlers import Workflow
from support.engines import PATIENCE, Lab, kinds
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


def test_its_tasks_wait_and_go_on_when_it_is_resumed(lab: Lab) -> None:
    engine = lab.open(flow, other)
    assert engine.pause_template(KEY, reason="a bug", actor="ann")
    tasks = [engine.submit(flow, {}) for _ in range(3)]
    beside = engine.submit(other, {})

    assert beside.wait(PATIENCE) is TaskState.COMPLETE
    lab.until(lambda: len(waiting_steps(lab)) == 3)
    assert {kind for _, kind, _ in waiting_steps(lab)} == {"template"}
    assert {tuple(kinds(task.history(), "only")) for task in tasks} == {()}
    engine.resume_template(KEY, reason="fixed", actor="ann")

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    assert waiting_steps(lab) == []


@pytest.mark.parametrize("shards", [1, 2])
def test_what_is_queued_already_is_taken_back_and_waits(lab: Lab, shards: int) -> None:
    engine = lab.open(flow, other, roles=["coordinator"], coordinator={"shards": shards})
    tasks = engine.submit_many(flow, [{}] * 5)
    beside = engine.submit(other, {})
    lab.until(lambda: lab.value("select count(*) from flowledger.queue") == 6)

    engine.pause_template(KEY, reason="a bug", actor="ann")

    lab.until(lambda: len(waiting_steps(lab)) == 5)
    lab.open(flow, other, roles=["worker"])
    assert beside.wait(PATIENCE) is TaskState.COMPLETE
    for task in tasks:
        assert kinds(task.history(), "only") == ["StepEnqueued", "StepDequeued"]
    engine.resume_template(KEY, reason="fixed", actor="ann")
    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    assert list(engine.verify()) == []


def test_it_stays_paused_for_the_next_coordinator(lab: Lab) -> None:
    client = lab.open(flow, roles=["worker"])
    leader = lab.open(roles=["coordinator"])
    client.pause_template(KEY, reason="a bug", actor="ann")
    before = client.submit(flow, {})
    lab.until(lambda: len(waiting_steps(lab)) == 1)
    leader.close()
    lab.open(roles=["coordinator"])
    after = client.submit(flow, {})
    lab.until(lambda: len(waiting_steps(lab)) == 2)

    client.resume_template(KEY, reason="fixed", actor="ann")

    assert {before.wait(PATIENCE), after.wait(PATIENCE)} == {TaskState.COMPLETE}


def test_a_template_that_is_paused_and_resumed_while_nobody_leads_is_not_paused(lab: Lab) -> None:
    client = lab.open(flow, roles=["worker"])
    client.pause_template(KEY, reason="a bug", actor="ann")
    task = client.submit(flow, {})
    client.resume_template(KEY, reason="fixed", actor="ann")

    lab.open(roles=["coordinator"])

    assert task.wait(PATIENCE) is TaskState.COMPLETE
