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
from support.engines import PATIENCE, Lab, kinds
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


def until_queued(lab: Lab, steps: int) -> None:
    count = "select count(*) from flowledger.event where topic = 'step.enqueued'"
    lab.until(lambda: lab.value(count) >= steps)


def test_steps_go_at_even_distances(lab: Lab) -> None:
    engine = lab.open(paced)
    tasks = engine.submit_many(paced, [{} for _ in range(4)])
    until_queued(lab, 1)
    lab.until(lambda: len(waiting_steps(lab)) == 3)
    for queued in (2, 3, 4):
        lab.move_clock("31 seconds")
        until_queued(lab, queued)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    found = times(log_of(engine, [task.id for task in tasks]))
    assert len(found) == 4
    assert all(later - earlier >= EVENLY for earlier, later in pairwise(found))
    assert waiting_steps(lab) == []


def test_a_task_says_until_when_it_waits(lab: Lab) -> None:
    engine = lab.open(paced)
    first = engine.submit(paced, {})
    until_queued(lab, 1)
    second = engine.submit(paced, {})
    lab.until(lambda: kinds(second.history())[-1] == "TaskWaiting")

    (queued,) = times(log_of(engine, [first.id]))
    waiting = second.history()[-1].event
    assert isinstance(waiting, TaskWaiting)
    assert waiting.until == queued + EVENLY


def test_each_value_of_a_key_has_a_rate_of_its_own_and_a_burst_after_a_quiet_time(
    lab: Lab,
) -> None:
    engine = lab.open(keyed)
    shops = ["a", "b"] * 4
    tasks = engine.submit_many(keyed, [{"shop": shop} for shop in shops])
    until_queued(lab, 4)
    lab.until(lambda: len(waiting_steps(lab)) == 4)
    for queued in (6, 8):
        lab.move_clock("61 seconds")
        until_queued(lab, queued)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    for task, shop in zip(tasks, shops, strict=True):
        found[shop] += times(log_of(engine, [task.id]))
    for moments in map(sorted, found.values()):
        assert moments[1] - moments[0] < timedelta(seconds=30), "a burst of two"
        assert moments[2] - moments[0] >= timedelta(seconds=60)
        assert moments[3] - moments[2] >= timedelta(seconds=60)


def test_a_rate_outlives_the_coordinator(lab: Lab) -> None:
    client = lab.open(paced, roles=["worker"])
    leader = lab.open(roles=["coordinator"])
    tasks = client.submit_many(paced, [{}, {}])
    until_queued(lab, 1)
    lab.until(lambda: waiting_steps(lab))
    leader.close()
    lab.open(roles=["coordinator"])
    third = client.submit(paced, {})
    lab.until(lambda: len(waiting_steps(lab)) == 2)

    for queued in (2, 3):
        lab.move_clock("31 seconds")
        until_queued(lab, queued)

    ids = [task.id for task in (*tasks, third)]
    assert third.wait(PATIENCE) is TaskState.COMPLETE
    found = sorted(times(log_of(client, ids)))
    assert all(later - earlier >= EVENLY for earlier, later in pairwise(found))
