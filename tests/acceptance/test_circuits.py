"""While an outside system fails, its steps wait and burn no attempts; the circuit is in the log."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, kinds
from support.limits import waiting_steps

works = Event()
calls: list[int] = []

pay = Workflow("circuits", "pay", version="1")
AT_ONCE = Retry(max_attempts=5, backoff="none")


@pay.step(system="bank", retry=AT_ONCE)
def charge(context: dict[str, Any]) -> int:
    calls.append(context["number"])
    if not works.is_set():
        raise ConnectionError("the bank is away")
    return 1


slow = Workflow("circuits", "slow", version="1")
goes_on = Event()


@slow.step(system="bank", retry=AT_ONCE)
def charge_slowly(context: dict[str, Any]) -> int:
    """From the fourth call on it waits until the test lets it go on."""
    calls.append(context["number"])
    assert len(calls) <= 3 or goes_on.wait(PATIENCE)
    if not works.is_set():
        raise ConnectionError("the bank is away")
    return 1


BROKEN = {
    "circuit_failure_threshold": 3,
    "circuit_open_seconds": 60.0,
    "circuit_open_cap_seconds": 100.0,
}


@pytest.fixture(autouse=True)
def _bank() -> Iterator[None]:
    works.clear()
    goes_on.clear()
    calls.clear()
    yield
    works.set()


def transitions(harness: EngineHarness) -> list[str]:
    """The circuit's own stream."""
    rows = harness.rows(
        "select topic from flowledger.event where originator_id = %s order by originator_version",
        circuit_id("bank"),
    )
    return [topic for (topic,) in rows]


def state(harness: EngineHarness) -> str:
    """The circuit as anybody may look at it."""
    return str(harness.value("select max(state) from flowledger.circuit where system = 'bank'"))


def test_it_opens_waits_tries_and_closes_and_attempts_are_not_burnt(harness: EngineHarness) -> None:
    engine = harness.open(pay, limits=BROKEN, worker={"concurrency": 1})
    tasks = [engine.submit(pay, {"number": number}) for number in range(6)]
    harness.until(lambda: state(harness) == "open" and len(waiting_steps(harness)) == 6)
    attempts = harness.value("select count(*) from flowledger.event where topic = 'step.started'")

    harness.move_clock("61 seconds")
    harness.until(
        lambda: transitions(harness)[-1] == "circuit.opened" and len(transitions(harness)) == 3
    )
    harness.until(lambda: len(waiting_steps(harness)) == 6)
    assert len(calls) == attempts + 1, "one step tried it, and no other"

    works.set()
    harness.move_clock("61 seconds")
    beside = engine.submit(pay, {"number": 7})
    harness.until(lambda: len(waiting_steps(harness)) == 7)  # it opened for longer the second time
    harness.move_clock("40 seconds")

    tasks.append(beside)
    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    assert transitions(harness) == [
        "circuit.opened", "circuit.half_opened",
        "circuit.opened", "circuit.half_opened", "circuit.closed",
    ]  # fmt: skip
    assert state(harness) == "closed"
    assert waiting_steps(harness) == []
    assert len(calls) == attempts + 1 + len(tasks)


def test_a_step_that_waits_says_for_which_system(harness: EngineHarness) -> None:
    engine = harness.open(pay, limits=BROKEN, worker={"concurrency": 1})
    task = engine.submit(pay, {"number": 1})
    harness.until(lambda: state(harness) == "open")
    harness.until(lambda: kinds(task.history())[-1] == "TaskWaiting")

    assert waiting_steps(harness) == [("charge", "circuit", "bank")]


def test_it_stays_open_for_the_next_coordinator(harness: EngineHarness) -> None:
    client = harness.open(pay, roles=["worker"], worker={"concurrency": 1})
    leader = harness.open(roles=["coordinator"], limits=BROKEN)
    task = client.submit(pay, {"number": 1})
    harness.until(lambda: state(harness) == "open" and waiting_steps(harness))
    leader.close()
    made = len(calls)
    harness.open(roles=["coordinator"], limits=BROKEN)
    other = client.submit(pay, {"number": 2})
    harness.until(lambda: len(waiting_steps(harness)) == 2)
    works.set()

    harness.move_clock("61 seconds")

    assert {task.wait(PATIENCE), other.wait(PATIENCE)} == {TaskState.COMPLETE}
    assert len(calls) == made + 2


@pytest.mark.parametrize("shards", [1, 2])
def test_steps_that_were_queued_before_it_opened_wait_too(
    harness: EngineHarness, shards: int
) -> None:
    """Twenty are queued; three are tried, a fourth is when it opens, and none after that."""
    coordinator = {"shards": shards, "poll_seconds": 0.1, "timer_batch_size": 5}
    engine = harness.open(slow, roles=["coordinator"], coordinator=coordinator, limits=BROKEN)
    tasks = engine.submit_many(slow, [{"number": number} for number in range(20)])
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 20)

    harness.open(slow, roles=["worker"], worker={"concurrency": 1})

    harness.until(lambda: state(harness) == "open" and len(waiting_steps(harness)) == 19)
    goes_on.set()
    harness.until(lambda: len(waiting_steps(harness)) == 20)
    assert len(calls) == 4
    assert harness.value("select count(*) from flowledger.queue") == 0
    works.set()
    harness.move_clock("61 seconds")
    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    assert len(calls) == 4 + 20
    assert [one for one in engine.verify() if one.subject != "the clock"] == []
