"""The engine in an asynchronous application, and coroutines as handlers."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from flowledger.engine import (
    AsyncEngine,
    AsyncTaskHandle,
    Engine,
    StepState,
    TaskNotCompleted,
    TaskState,
    TaskUnfinished,
    UnknownTask,
)
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, kinds, of_kind

MEETING = 20

meeting = Workflow("async", "meeting", version="1")
arrived: list[int] = []


@meeting.step
async def gather(context: dict[str, Any]) -> int:
    """Goes on when all are here, so that all must run on one loop at once."""
    arrived.append(context["number"])
    if len(arrived) == MEETING:
        everybody_is_here().set()
    await everybody_is_here().wait()
    return context["number"] * 2


events: dict[str, asyncio.Event] = {}


def everybody_is_here() -> asyncio.Event:
    return events.setdefault("here", asyncio.Event())


mixed = Workflow("async", "mixed", version="1")


@mixed.step
async def fetch() -> list[int]:
    await asyncio.to_thread(lambda: None)
    return [1, 2, 3]


@mixed.step(after=[fetch])
def total(fetch: list[int]) -> int:
    return sum(fetch)


@mixed.step(after=[total])
async def report(total: int) -> str:
    return f"{total} in all"


broken = Workflow("async", "broken", version="1")


@broken.step(retry=Retry(max_attempts=1))
async def raises(context: dict[str, Any]) -> None:
    if context["how"] == "cancelled":
        raise asyncio.CancelledError
    raise RuntimeError("no luck")


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(meeting, mixed, broken, worker={"concurrency": MEETING})


def test_coroutines_run_at_once_on_one_loop(engine: Engine) -> None:
    tasks = engine.submit_many(meeting, [{"number": number} for number in range(MEETING)])

    doubled = [task.result(PATIENCE)["gather"] for task in tasks]

    assert doubled == [number * 2 for number in range(MEETING)]


def test_coroutines_and_functions_mix_in_one_workflow(engine: Engine) -> None:
    task = engine.submit(mixed, {})

    assert task.result(PATIENCE)["report"] == "6 in all"
    assert_legal_order(task.history(), mixed.template)


@pytest.mark.parametrize(("how", "said"), [("error", "no luck"), ("cancelled", "CancelledError")])
def test_a_coroutine_that_raises_fails_its_step(engine: Engine, how: str, said: str) -> None:
    """Also where it raises what asyncio cancels with: nobody had cancelled the step."""
    task = engine.submit(broken, {"how": how})

    assert task.wait(PATIENCE / 6) is TaskState.ERROR
    assert said in of_kind(task.history(), StepAttemptFailed)[0].error.message


async def test_an_asynchronous_application_submits_and_awaits(harness: EngineHarness) -> None:
    async with await AsyncEngine.open(workflows=[mixed], settings=harness.settings()) as engine:
        task = await engine.submit(mixed, {}, correlation_id="async-1")
        result = await task.result(PATIENCE)

        assert result["total"] == 6
        assert await task.state() is TaskState.COMPLETE
        assert kinds(await task.history())[-1] == "TaskCompleted"
        assert {step.state for step in (await task.steps()).values()} == {StepState.COMPLETE}
        assert await engine.task(task.id).state() is TaskState.COMPLETE


async def test_many_tasks_are_awaited_at_once(harness: EngineHarness) -> None:
    async with await AsyncEngine.open(workflows=[mixed], settings=harness.settings()) as engine:
        tasks = await engine.submit_many(mixed, [{}] * 30)
        states = await asyncio.gather(*(task.wait(PATIENCE) for task in tasks))

    assert states == [TaskState.COMPLETE] * 30


async def test_awaiting_blocks_nobody_and_ends_when_the_time_is_up(harness: EngineHarness) -> None:
    async with await AsyncEngine.open(roles=(), settings=harness.settings()) as client:
        tasks = await client.submit_many(mixed, [{}] * 50)

        async def too_long(task: AsyncTaskHandle) -> None:
            with pytest.raises(TaskUnfinished, match=r"within 0\.1 s"):
                await task.wait(0.1)

        # More waiters than threads: each of them in a thread would take turns.
        await asyncio.wait_for(asyncio.gather(*map(too_long, tasks)), PATIENCE)


async def test_errors_are_those_of_the_engine(harness: EngineHarness) -> None:
    async with await AsyncEngine.open(workflows=[broken], settings=harness.settings()) as engine:
        failed = await engine.submit(broken, {"how": "error"})

        with pytest.raises(TaskNotCompleted, match="no luck"):
            await failed.result(PATIENCE)
        with pytest.raises(UnknownTask):
            await engine.task(uuid4()).wait(0.1)


UNKNOWN = """
select flowledger.create_generation('spend', 1, 'create table {schema}.t (a int)', false, false)
"""


async def test_verification_yields_what_it_yields_without_asyncio(harness: EngineHarness) -> None:
    async with await AsyncEngine.open(workflows=[mixed], settings=harness.settings()) as engine:
        one, two = await engine.submit_many(mixed, [{}] * 2)
        for task in (one, two):
            await task.result(PATIENCE)
        harness.rows("update flowledger.task set priority = priority + 1")
        harness.rows(UNKNOWN)
        run = engine.verify()

        found = [difference async for difference in run]
        of_one = [difference async for difference in engine.verify(one.id)]

        with pytest.raises(UnknownTask):
            _ = [difference async for difference in engine.verify(uuid4())]
    with harness.open(roles=()) as engine:
        assert found == list(engine.verify())
    assert {difference.task_id for difference in found} == {one.id, two.id}
    assert {difference.task_id for difference in of_one} == {one.id}
    assert (run.tasks, run.found) == (2, len(found))
    assert run.events > run.tasks
    assert "spend" in run.not_compared


async def test_verification_does_not_hold_up_the_loop(harness: EngineHarness) -> None:
    """It waits for a lock that is given up on the loop."""
    blocker = harness.connect()
    async with await AsyncEngine.open(roles=(), settings=harness.settings()) as client:
        blocker.execute("lock table flowledger.shard")

        async def release() -> None:
            harness.until(lambda: harness.value("select count(*) from pg_locks where not granted"))
            blocker.rollback()

        async def verify() -> list[Difference]:
            return [difference async for difference in client.verify()]

        found, _ = await asyncio.gather(verify(), release())

    assert found == []
