"""A crash at any named point of a loop leaves nothing half done."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.bootstrap import engine_pool
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, completions
from support.manual_coordinator import row_differences

TASKS = 20

flow = Workflow("crashes", "diamond", version="1")


@flow.step
def start(context: dict[str, Any]) -> int:
    return context["number"]


@flow.step(after=[start], retry=Retry(max_attempts=2, backoff="none"))
def left(start: int) -> int:
    return start + 1


@flow.step(after=[start])
async def right(start: int) -> int:
    return start + 2


@flow.step(after=[left, right])
def join(left: int, right: int) -> int:
    return left * right


class Crash(Exception):
    """What ends a loop's step in the middle."""


class CrashAt:
    """Crashes at a point whenever `when` says so of the number of its visits (from 1)."""

    def __init__(self, point: str, when: Callable[[int], bool]) -> None:
        self._point = point
        self._when = when
        self._lock = Lock()
        self.visits = 0
        self.crashes = 0

    def reached(self, point: str) -> None:
        if point != self._point:
            return
        with self._lock:
            self.visits += 1
            if not self._when(self.visits):
                return
            self.crashes += 1
        raise Crash(point)


@pytest.mark.parametrize("point", ["decided", "committed", "exchanging", "exchanged"])
@pytest.mark.parametrize("when", [lambda n: n <= 3, lambda n: n % 2 == 0], ids=["first", "often"])
def test_a_loop_that_crashes_goes_on_and_every_step_completes_once(
    harness: EngineHarness, point: str, when: Callable[[int], bool]
) -> None:
    faults = CrashAt(point, when)
    engine = harness.open(
        flow, faults=faults, database={"reconnect_initial_seconds": 0.001},
        worker={"concurrency": 4},
    )  # fmt: skip

    tasks = engine.submit_many(flow, [{"number": number} for number in range(TASKS)])

    for number, task in enumerate(tasks):
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert task.result()["join"] == (number + 1) * (number + 2)
        assert_legal_order(task.history(), flow.template)
    assert faults.crashes
    assert set(completions(harness).values()) == {1}


@pytest.mark.parametrize("point", ["decided", "committed"])
@pytest.mark.parametrize("when", [lambda n: n <= 3, lambda n: n % 2 == 0], ids=["first", "often"])
def test_a_coordinator_that_crashes_while_it_hurries_loses_nothing(
    harness: EngineHarness, point: str, when: Callable[[int], bool]
) -> None:
    faults = CrashAt(point, when)
    engine = harness.open(
        flow, faults=faults, database={"reconnect_initial_seconds": 0.001},
        coordinator={"pipeline_events": 1, "batch_size": 5},
    )  # fmt: skip

    tasks = engine.submit_many(flow, [{"number": number} for number in range(TASKS)])

    for number, task in enumerate(tasks):
        assert task.result(PATIENCE)["join"] == (number + 1) * (number + 2)
        assert_legal_order(task.history(), flow.template)
    assert faults.crashes
    assert set(completions(harness).values()) == {1}
    with engine_pool(harness.url, harness.settings()) as pool:
        assert [row_differences(pool, task.id, flow) for task in tasks] == [[]] * TASKS
