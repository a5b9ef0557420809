"""Rates hold in the log: steps go at even distances. The engine's clock is moved, nobody sleeps."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from flowledger.engine import TaskState
from flowledger.engine.events.step import StepEnqueued
from flowledger.engine.events.task import TaskWaiting
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, kinds
from support.limits import log_of, waiting_steps

EVENLY = timedelta(seconds=30)

paced = Workflow("rates", "paced", version="1", rate={"limit": 2, "per_seconds": 60.0})


@paced.step
def only() -> int:
    return 1


keyed = Workflow("rates", "keyed", version="1")


@keyed.step(rate={"limit": 1, "per_seconds": 60.0, "key": "shop", "burst": 2})
def call(context: dict[str, Any]) -> int:
    return 1


def times(log: Any) -> list[datetime]:
    """When steps were queued."""
    return [event.occurred_at for event in log if isinstance(event, StepEnqueued)]


def until_queued(harness: EngineHarness, steps: int) -> None:
    count = "select count(*) from flowledger.event where topic = 'step.enqueued'"
    harness.until(lambda: harness.value(count) >= steps)


def test_steps_go_at_even_distances(harness: EngineHarness) -> None:
    engine = harness.open(paced)
    tasks = engine.submit_many(paced, [{} for _ in range(4)])
    until_queued(harness, 1)
    harness.until(lambda: len(waiting_steps(harness)) == 3)
    for queued in (2, 3, 4):
        harness.move_clock("31 seconds")
        until_queued(harness, queued)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    found = times(log_of(engine, [task.id for task in tasks]))
    assert len(found) == 4
    assert all(later - earlier >= EVENLY for earlier, later in pairwise(found))
    assert waiting_steps(harness) == []


def test_a_task_says_until_when_it_waits(harness: EngineHarness) -> None:
    engine = harness.open(paced)
    first = engine.submit(paced, {})
    until_queued(harness, 1)
    second = engine.submit(paced, {})
    harness.until(lambda: kinds(second.history())[-1] == "TaskWaiting")

    (queued,) = times(log_of(engine, [first.id]))
    waiting = second.history()[-1].event
    assert isinstance(waiting, TaskWaiting)
    assert waiting.until == queued + EVENLY


def test_each_value_of_a_key_has_a_rate_of_its_own_and_a_burst_after_a_quiet_time(
    harness: EngineHarness,
) -> None:
    engine = harness.open(keyed)
    shops = ["a", "b"] * 4
    tasks = engine.submit_many(keyed, [{"shop": shop} for shop in shops])
    until_queued(harness, 4)
    harness.until(lambda: len(waiting_steps(harness)) == 4)
    for queued in (6, 8):
        harness.move_clock("61 seconds")
        until_queued(harness, queued)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    for task, shop in zip(tasks, shops, strict=True):
        found[shop] += times(log_of(engine, [task.id]))
    for moments in map(sorted, found.values()):
        assert moments[1] - moments[0] < timedelta(seconds=30), "a burst of two"
        assert moments[2] - moments[0] >= timedelta(seconds=60)
        assert moments[3] - moments[2] >= timedelta(seconds=60)


def test_a_rate_outlives_the_coordinator(harness: EngineHarness) -> None:
    client = harness.open(paced, roles=["worker"])
    leader = harness.open(roles=["coordinator"])
    tasks = client.submit_many(paced, [{}, {}])
    until_queued(harness, 1)
    harness.until(lambda: waiting_steps(harness))
    leader.close()
    harness.open(roles=["coordinator"])
    third = client.submit(paced, {})
    harness.until(lambda: len(waiting_steps(harness)) == 2)

    for queued in (2, 3):
        harness.move_clock("31 seconds")
        until_queued(harness, queued)

    ids = [task.id for task in (*tasks, third)]
    assert third.wait(PATIENCE) is TaskState.COMPLETE
    found = sorted(times(log_of(client, ids)))
    assert all(later - earlier >= EVENLY for earlier, later in pairwise(found))
