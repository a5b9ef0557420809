"""A coroutine that blocks its event loop: the steps beside it go on, and pay nothing for it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from threading import Event

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.events.step import StepFailed
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, completions, kinds, of_kind

ONCE = Retry(max_attempts=1)
NEIGHBOURS = 4

beside = Workflow("loops", "beside", version="1")
blocking = Workflow("loops", "blocking", version="1")
timed = Workflow("loops", "timed", version="1")

entered: dict[str, Event] = defaultdict(Event)
released: dict[str, Event] = defaultdict(Event)
runs: Counter[str] = Counter()
stopped: Counter[str] = Counter()


@beside.step(retry=ONCE)
async def waits(context: dict[str, str]) -> str:
    """The first time it waits until it is cancelled, any other time it ends."""
    name = context["name"]
    runs[name] += 1
    entered[name].set()
    if context["first"] == "waits" and runs[name] == 1:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped[name] += 1
            raise
    return name


def block(name: str) -> str:
    entered[name].set()
    assert released[name].wait(2 * PATIENCE)
    return name


async def block_in_a_task(name: str) -> str:
    return block(name)


@blocking.step(retry=ONCE)
async def blocks(context: dict[str, str]) -> str:
    if context["where"] == "task":
        return await asyncio.create_task(block_in_a_task(context["name"]))
    if context["where"] == "callback":
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: ended.set_result(block(context["name"])))
        return await ended
    return block(context["name"])


@timed.step(retry=ONCE, timeout=1.5)
async def blocks_for_ever(context: dict[str, str], step: StepContext) -> str:
    return block(context["name"])


@pytest.fixture
def engine(harness: EngineHarness) -> Engine:
    return harness.open(
        *(beside, blocking, timed),
        worker={
            "event_loop_block_seconds": 0.4, "heartbeat_seconds": 0.1, "poll_seconds": 0.1,
            "concurrency": 12, "grace_seconds": 0.2,
        },
    )  # fmt: skip


def neighbours(engine: Engine, prefix: str) -> list[TaskHandle]:
    """Tasks whose coroutines wait on the loop."""
    names = [f"{prefix} {number}" for number in range(NEIGHBOURS)]
    tasks = [engine.submit(beside, {"name": name, "first": "waits"}) for name in names]
    assert all(entered[name].wait(PATIENCE) for name in names)
    return tasks


@pytest.mark.parametrize("where", ["itself", "task", "callback"])
def test_the_steps_on_its_loop_are_handed_back_and_run_again(
    engine: Engine, harness: EngineHarness, where: str
) -> None:
    tasks = neighbours(engine, where)
    blocker = engine.submit(blocking, {"name": where, "where": where})
    assert entered[where].wait(PATIENCE)

    for task in tasks:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert kinds(task.history(), "waits") == [
            "StepEnqueued", "StepStarted", "StepReleased",
            "StepEnqueued", "StepStarted", "StepCompleted",
        ]  # fmt: skip
    assert kinds(blocker.history(), "blocks") == ["StepEnqueued", "StepStarted"]

    released[where].set()

    assert blocker.result(PATIENCE) == {"blocks": where}
    assert set(completions(harness).values()) == {1}
    harness.until(lambda: sum(stopped[f"{where} {n}"] for n in range(NEIGHBOURS)) == NEIGHBOURS)


def test_steps_that_come_later_run_while_it_blocks(engine: Engine) -> None:
    blocker = engine.submit(blocking, {"name": "early", "where": "itself"})
    assert entered["early"].wait(PATIENCE)

    later = [engine.submit(beside, {"name": f"later {n}", "first": "ends"}) for n in range(3)]

    assert [task.wait(PATIENCE) for task in later] == [TaskState.COMPLETE] * 3
    released["early"].set()
    assert blocker.wait(PATIENCE) is TaskState.COMPLETE


def test_one_that_never_ends_is_timed_out_and_wears_its_worker_out(
    engine: Engine, harness: EngineHarness
) -> None:
    tasks = neighbours(engine, "timed")
    blockers = [engine.submit(timed, {"name": f"for ever {n}"}) for n in range(6)]

    for task in blockers:
        assert task.wait(PATIENCE) is TaskState.ERROR
        (errored,) = of_kind(task.history(), StepFailed)
        assert errored.message == "failed 1 of 1 times: ran longer than 1.5 s"
    assert [task.wait(PATIENCE) for task in tasks] == [TaskState.COMPLETE] * NEIGHBOURS
    condition = "select condition from flowledger.worker"
    harness.until(lambda: harness.value(condition) == "stuck")
    for number in range(6):
        released[f"for ever {number}"].set()
    harness.until(lambda: harness.value(condition) == "ready")


def test_it_is_said_who_blocks_and_how_many_are_handed_back(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = neighbours(engine, "told")
    blocker = engine.submit(blocking, {"name": "told", "where": "itself"})
    assert [task.wait(PATIENCE) for task in tasks] == [TaskState.COMPLETE] * NEIGHBOURS
    released["told"].set()
    assert blocker.wait(PATIENCE) is TaskState.COMPLETE

    assert f"worker.loop_blocked component=worker blocking=['blocks'] handed_back={NEIGHBOURS}" in (
        caplog.text
    )
