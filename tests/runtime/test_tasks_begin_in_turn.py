"""Tasks begin in their turn, and what was begun is finished before the next begins."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine import TaskHandle
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, kinds

AHEAD = 4
FEW = {"begin_ahead_steps": AHEAD, "begin_ahead_seconds": 0.001}

flow = Workflow("turns", "flow", version="1")
other = Workflow("turns", "other", version="1")


@flow.step
def first(context: dict[str, Any]) -> int:
    return context["number"]


@flow.step(after=[first])
def second(first: int) -> int:
    return first


@other.step
def only() -> int:
    return 1


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"number": number} for number in range(count)]


def begun(harness: EngineHarness) -> list[Any]:
    """The tasks that have begun, in the order in which they did."""
    query = "select task_id from flowledger.event where topic = 'task.started' order by"
    return [task for (task,) in harness.rows(f"{query} notification_id")]


def until_all_are_met(harness: EngineHarness, count: int) -> None:
    harness.until(lambda: harness.value("select count(*) from flowledger.task") == count)


def ids(tasks: list[TaskHandle[Any]]) -> list[Any]:
    return [task.id for task in tasks]


def without_worker(harness: EngineHarness, count: int, **options: Any) -> list[TaskHandle[Any]]:
    """So many tasks that a coordinator has met, and no worker serves."""
    engine = harness.open(flow, roles=["coordinator"], coordinator=FEW)
    tasks = engine.submit_many(flow, numbered(count), **options)
    until_all_are_met(harness, count)
    return tasks


def test_no_more_begin_than_workers_may_need(harness: EngineHarness) -> None:
    tasks = without_worker(harness, 20)

    harness.until(lambda: len(begun(harness)) == AHEAD)
    assert begun(harness) == ids(tasks[:AHEAD])
    assert harness.value("select count(*) from flowledger.queue") == AHEAD

    harness.open(flow, roles=["worker"])

    assert [task.result(PATIENCE)["second"] for task in tasks] == [*range(20)]
    assert begun(harness) == ids(tasks)
    assert list(harness.open(flow, roles=()).verify()) == []


def test_a_template_that_nobody_serves_keeps_no_other_from_beginning(
    harness: EngineHarness,
) -> None:
    without_worker(harness, 20)
    engine = harness.open(other, flow, roles=())
    harness.open(other, roles=["worker"])

    tasks = engine.submit_many(other, [{}] * 20)

    assert [task.result(PATIENCE) for task in tasks] == [{"only": 1}] * 20


def test_who_leads_next_goes_on_with_those_that_wait(harness: EngineHarness) -> None:
    leader = harness.open(flow, roles=["coordinator"], coordinator=FEW)
    tasks = leader.submit_many(flow, numbered(20))
    until_all_are_met(harness, 20)
    leader.close()

    engine = harness.open(flow, coordinator=FEW)

    tasks = [engine.task(task.id) for task in tasks]
    assert [task.result(PATIENCE)["first"] for task in tasks] == [*range(20)]
    assert begun(harness) == ids(tasks)


def test_an_urgent_task_begins_before_older_ones(harness: EngineHarness) -> None:
    without_worker(harness, 20)
    (urgent,) = harness.open(flow, roles=()).submit_many(flow, numbered(1), priority=5)
    until_all_are_met(harness, 21)

    harness.open(flow, roles=["worker"])
    urgent.result(PATIENCE)

    harness.until(lambda: len(begun(harness)) == 21)
    assert begun(harness).index(urgent.id) < 2 * AHEAD


@pytest.mark.parametrize("settings", [{"max_cached_tasks": 1}, {"batch_size": 1}])
def test_a_small_memory_and_small_batches_change_nothing(
    harness: EngineHarness, settings: dict[str, Any]
) -> None:
    engine = harness.open(flow, coordinator={**FEW, **settings})

    tasks = engine.submit_many(flow, numbered(50))

    assert [task.result(PATIENCE)["second"] for task in tasks] == [*range(50)]
    assert begun(harness) == ids(tasks)


def test_who_waits_can_be_cancelled_paused_and_resumed(harness: EngineHarness) -> None:
    tasks = without_worker(harness, 20)
    why = {"reason": "a test", "actor": "ann"}
    tasks[10].cancel(**why)
    tasks[11].pause(**why)
    tasks[12].pause(**why)
    tasks[12].resume(**why)

    harness.open(flow, roles=["worker"])
    for task in [*tasks[:10], *tasks[12:]]:
        task.result(PATIENCE)

    assert kinds(tasks[10].history())[0] == "TaskCreated"
    assert "TaskStarted" not in kinds(tasks[10].history()) + kinds(tasks[11].history())
    tasks[11].resume(**why)
    assert tasks[11].result(PATIENCE)["second"] == 11
