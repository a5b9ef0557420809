"""Coroutines that harm the event loop they share: they fail, and the steps beside them do not."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from threading import Event
from typing import Any

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

NEIGHBOURS = 3
Harm = Callable[[], Awaitable[Any]]

harming = Workflow("loops", "harming", version="1")
beside = Workflow("loops", "beside-harm", version="1")
dying = Workflow("loops", "dying", version="1")

entered: dict[str, Event] = defaultdict(Event)
released: dict[str, Event] = defaultdict(Event)
runs: Counter[str] = Counter()


class Fatal(BaseException):
    """As libraries have them that want to be caught by nobody."""


def ends(error: BaseException) -> None:
    raise error


async def raises(error: BaseException) -> None:
    raise error


async def for_ever() -> None:
    await asyncio.Event().wait()


async def exits_in_a_task() -> None:
    await asyncio.create_task(raises(SystemExit(1)))


async def exits_in_a_task_that_nobody_awaits() -> None:
    task = asyncio.create_task(raises(SystemExit(1)))
    await for_ever()
    await task


async def is_interrupted_in_a_task() -> None:
    task = asyncio.create_task(raises(KeyboardInterrupt()))
    await for_ever()
    await task


async def exits_in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(sys.exit, 1)
    await for_ever()


async def exits_in_a_later_callback() -> None:
    asyncio.get_running_loop().call_later(0.01, sys.exit, 1)
    await for_ever()


async def exits_in_a_task_of_a_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(raises(SystemExit(1)))
        group.create_task(for_ever())


async def exits() -> None:
    sys.exit(1)


async def ends_like_a_generator() -> None:
    raise GeneratorExit


async def is_fatal_in_a_task() -> None:
    await asyncio.create_task(raises(Fatal("no more")))


async def stops_the_loop() -> None:
    asyncio.get_running_loop().stop()


async def stops_the_loop_from_a_thread() -> None:
    await asyncio.to_thread(asyncio.get_running_loop().stop)


async def closes_the_loop() -> None:
    asyncio.get_running_loop().close()


async def closes_the_loop_from_a_thread() -> None:
    await asyncio.to_thread(asyncio.get_running_loop().close)


async def ends_the_threads_of_the_loop() -> None:
    await asyncio.get_running_loop().shutdown_default_executor()


async def ends_generators_of_the_loop() -> None:
    await asyncio.get_running_loop().shutdown_asyncgens()


async def takes_the_errors_of_the_loop() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: sys.exit(1))


async def takes_the_tasks_of_the_loop() -> None:
    asyncio.get_running_loop().set_task_factory(None)


async def runs_the_loop() -> None:
    asyncio.get_running_loop().run_forever()


async def cancels_every_task() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    await for_ever()


async def cancels_the_tasks_of_others() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await for_ever()


HARMS: dict[str, Harm] = {
    harm.__name__: harm
    for harm in (
        exits, exits_in_a_task, exits_in_a_task_that_nobody_awaits, is_interrupted_in_a_task,
        exits_in_a_callback, exits_in_a_later_callback, exits_in_a_task_of_a_task_group,
        ends_like_a_generator, is_fatal_in_a_task, stops_the_loop, stops_the_loop_from_a_thread,
        closes_the_loop, closes_the_loop_from_a_thread, ends_the_threads_of_the_loop,
        ends_generators_of_the_loop, takes_the_errors_of_the_loop, takes_the_tasks_of_the_loop,
        runs_the_loop, cancels_every_task, cancels_the_tasks_of_others, cancels_itself,
    )
}  # fmt: skip


@harming.step(retry=Retry(max_attempts=2, backoff="none"))
async def harms(context: dict[str, str]) -> None:
    await HARMS[context["how"]]()


async def waits_for(name: str) -> str:
    assert await asyncio.to_thread(released[name].wait, PATIENCE)
    return name


@beside.step(retry=Retry(max_attempts=1))
async def waits(context: dict[str, str]) -> str:
    """Half of what it does is in a task of its own."""
    name = context["name"]
    runs[name] += 1
    entered[name].set()
    await waits_for(name)
    return await asyncio.create_task(waits_for(name))


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(
        *(harming, beside),
        worker={"event_loop_block_seconds": 20.0, "heartbeat_seconds": 0.1, "poll_seconds": 0.1},
    )


def neighbours(engine: Engine, prefix: str) -> list[TaskHandle]:
    """Tasks whose coroutines wait on the loop."""
    names = [f"{prefix} {number}" for number in range(NEIGHBOURS)]
    tasks = [engine.submit(beside, {"name": name}) for name in names]
    assert all(entered[name].wait(PATIENCE) for name in names)
    return tasks


@pytest.mark.parametrize("how", HARMS)
def test_each_harm_is_a_failed_attempt_and_the_neighbours_go_on(engine: Engine, how: str) -> None:
    tasks = neighbours(engine, how)

    harmful = engine.submit(harming, {"how": how})

    assert harmful.wait(PATIENCE) is TaskState.ERROR
    assert kinds(harmful.history(), "harms").count("StepAttemptFailed") == 2
    assert "StepReleased" not in kinds(harmful.history(), "harms")
    for number, task in enumerate(tasks):
        released[f"{how} {number}"].set()
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert kinds(task.history(), "waits") == ["StepEnqueued", "StepStarted", "StepCompleted"]


def test_the_failure_says_what_was_done_and_to_whom(engine: Engine) -> None:
    tasks = neighbours(engine, "told")
    said: dict[str, StepAttemptFailed] = {}
    for how in ("stops_the_loop", "cancels_the_tasks_of_others", "exits_in_a_callback"):
        task = engine.submit(harming, {"how": how})
        assert task.wait(PATIENCE) is TaskState.ERROR
        said[how] = of_kind(task.history(), StepAttemptFailed)[0]
    for number, task in enumerate(tasks):
        released[f"told {number}"].set()
        assert task.wait(PATIENCE) is TaskState.COMPLETE

    assert said["stops_the_loop"].error.error_class == "RuntimeError"
    assert "stop() is refused: other steps run on this event loop" in (
        said["stops_the_loop"].error.message
    )
    assert "step 'waits'" in said["cancels_the_tasks_of_others"].error.message
    assert said["exits_in_a_callback"].error.error_class == "SystemExit"


@dying.step(retry=Retry(max_attempts=1))
async def spoils_the_selector_once() -> None:
    runs["selector"] += 1
    if runs["selector"] == 1:
        loop: Any = asyncio.get_running_loop()
        loop._selector.select = lambda _: ends(OSError("bad file descriptor"))


def test_a_loop_that_cannot_run_on_is_left_and_its_steps_run_on_another(
    harness: EngineHarness,
) -> None:
    engine = harness.open(dying, beside, worker={"event_loop_block_seconds": 20.0})
    tasks = neighbours(engine, "selector")

    harmful = engine.submit(dying, {})

    assert harmful.wait(PATIENCE) is TaskState.COMPLETE
    for number, task in enumerate(tasks):
        released[f"selector {number}"].set()
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert kinds(task.history(), "waits").count("StepReleased") == 1
    gc.collect()  # what waited on the dead loop is destroyed here, and in no other test
