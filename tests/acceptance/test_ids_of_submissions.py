"""The ids that an application gives to its tasks: each stands for one task, on every way in."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from flowledger.engine import AsyncEngine, Engine, InvalidSubmission, TaskHandle
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.sql_calls import wait_until_blocked

flow = Workflow("ids", "flow", version="1")
other = Workflow("ids", "other", version="1")
ANOTHER = r"task_id .* is that of a task of ids/flow@1 with another context: give each task an id"


@flow.step
@other.step
def only(context: dict[str, Any]) -> int:
    return int(context["number"])


@pytest.fixture
def engine(harness: EngineHarness) -> Engine:
    return harness.open(flow, other, roles=())


Stored = Callable[[Engine, psycopg.Connection[Any], UUID], object]
STORED: dict[str, Stored] = {
    "stored": lambda engine, _, task: engine.submit(flow, {"number": 1}, task_id=task),
    "left in the same transaction": lambda engine, own, task: engine.submit(
        flow, {"number": 1}, task_id=task, connection=own
    ),
    "left and committed": lambda engine, own, task: (
        engine.submit(flow, {"number": 1}, task_id=task, connection=own),
        own.commit(),
    ),
}
stored_before = pytest.mark.parametrize("before", STORED.values(), ids=STORED)


def still_usable(own: psycopg.Connection[Any]) -> bool:
    """Whether the application's transaction goes on."""
    return own.execute("select 1").fetchone() == (1,)


@stored_before
@pytest.mark.parametrize("workflow", [flow, other], ids=lambda workflow: workflow.template.name)
def test_the_id_of_another_task_is_refused_in_a_callers_transaction(
    harness: EngineHarness, engine: Engine, before: Stored, workflow: Any
) -> None:
    task = uuid4()
    with harness.connect() as own:
        before(engine, own, task)

        with pytest.raises(InvalidSubmission, match=ANOTHER):
            engine.submit(workflow, {"number": 2}, task_id=task, connection=own)

        assert still_usable(own)
        own.commit()
    harness.open(flow, other)
    assert engine.task(task).result(PATIENCE) == {"only": 1}


@stored_before
def test_of_many_none_is_stored_where_one_id_is_that_of_another_task(
    harness: EngineHarness, engine: Engine, before: Stored
) -> None:
    task, fresh = uuid4(), uuid4()
    with harness.connect() as own:
        before(engine, own, task)

        with pytest.raises(InvalidSubmission, match=ANOTHER):
            engine.submit_many(
                flow,
                [{"number": 2}, {"number": 3}],
                task_ids=[fresh, task],
                idempotency_keys=["two", "three"],
                connection=own,
            )

        assert still_usable(own)
        own.commit()
    assert not harness.value("select flowledger.task_exists(%s)", fresh)
    assert harness.value("select count(*) from flowledger.identity") == 0


@stored_before
def test_the_same_submission_again_is_the_same_task(
    harness: EngineHarness, engine: Engine, before: Stored
) -> None:
    task, fresh = uuid4(), uuid4()
    with harness.connect() as own:
        before(engine, own, task)

        again = engine.submit_many(
            flow, [{"number": 2}, {"number": 1}], task_ids=[fresh, task], connection=own
        )

        own.commit()
    harness.open(flow, other)
    assert [one.id for one in again] == [fresh, task]
    assert [one.result(PATIENCE) for one in again] == [{"only": 2}, {"only": 1}]


@stored_before
async def test_on_a_connection_that_is_awaited_it_is_refused_alike(
    harness: EngineHarness, engine: Engine, before: Stored
) -> None:
    task, asked = uuid4(), AsyncEngine(engine)
    with harness.connect() as first:
        before(engine, first, task)
        first.commit()
    async with await psycopg.AsyncConnection.connect(harness.url) as own:
        with pytest.raises(InvalidSubmission, match=ANOTHER):
            await asked.submit(flow, {"number": 2}, task_id=task, connection=own)

        again = await asked.submit(flow, {"number": 1}, task_id=task, connection=own)
        await own.commit()
    assert again.id == task


@contextmanager
def blocked(
    harness: EngineHarness, engine: Engine, task: UUID, number: int
) -> Generator[Callable[[], TaskHandle]]:
    """A submission that waits for a transaction with the same id, which then commits."""

    def submit() -> TaskHandle:
        return engine.submit(flow, {"number": number}, task_id=task, connection=second)

    with harness.connect() as first, harness.connect() as second, ThreadPoolExecutor() as threads:
        engine.submit(flow, {"number": 1}, task_id=task, connection=first)
        waiting = threads.submit(submit)
        with psycopg.connect(harness.url, autocommit=True) as looking:
            wait_until_blocked(looking)
        first.commit()
        yield lambda: waiting.result(PATIENCE)
        assert still_usable(second)


def test_a_competing_transaction_with_another_context_is_waited_for_and_then_refused(
    harness: EngineHarness, engine: Engine
) -> None:
    with (
        blocked(harness, engine, uuid4(), 2) as answer,
        pytest.raises(InvalidSubmission, match=ANOTHER),
    ):
        answer()


def test_a_competing_transaction_with_the_same_submission_is_the_same_task(
    harness: EngineHarness, engine: Engine
) -> None:
    task = uuid4()
    with blocked(harness, engine, task, 1) as answer:
        assert answer().id == task


def test_what_is_left_to_the_coordinator_keeps_its_id_from_others_without_a_connection_too(
    harness: EngineHarness, engine: Engine
) -> None:
    task = uuid4()
    with harness.connect() as own:
        engine.submit(flow, {"number": 1}, task_id=task, connection=own)
        own.commit()

    assert engine.submit(flow, {"number": 1}, task_id=task).id == task
    with pytest.raises(InvalidSubmission, match=ANOTHER):
        engine.submit(flow, {"number": 2}, task_id=task)

    harness.open(flow, other)
    assert engine.task(task).result(PATIENCE) == {"only": 1}


@pytest.mark.parametrize("connected", [False, True])
def test_the_id_of_a_step_is_no_id_for_a_task(harness: EngineHarness, connected: bool) -> None:
    engine = harness.open(flow)
    task = engine.submit(flow, {"number": 1})
    task.result(PATIENCE)
    taken = step_id(task.id, "only")

    with (
        harness.connect() as own,
        pytest.raises(InvalidSubmission, match=f"task_id {taken} is that of something else"),
    ):
        engine.submit(flow, {}, task_id=taken, **({"connection": own} if connected else {}))


@pytest.mark.parametrize("connected", [False, True])
def test_one_id_for_two_tasks_of_a_call_is_refused_by_its_place(
    harness: EngineHarness, engine: Engine, connected: bool
) -> None:
    task, before = uuid4(), harness.counts()
    with (
        harness.connect() as own,
        pytest.raises(InvalidSubmission, match=r"ids/flow@1: task_ids\[2\] .* as task_ids\[0\] is"),
    ):
        engine.submit_many(
            flow,
            [{"number": 1}, {"number": 2}, {"number": 1}],
            task_ids=[task, uuid4(), str(task)],  # type: ignore[list-item]
            **({"connection": own} if connected else {}),
        )

    assert harness.counts() == before


def test_a_transaction_that_commits_behind_a_submission_with_its_id_stops_nobody(
    harness: EngineHarness, engine: Engine
) -> None:
    """Neither could see the other: the one that was in the log first is the task."""
    task = uuid4()
    with harness.connect() as own:
        engine.submit(flow, {"number": 2}, task_id=task, connection=own)
        engine.submit(flow, {"number": 1}, task_id=task)
        own.commit()

    harness.open(flow, other)

    assert engine.task(task).result(PATIENCE) == {"only": 1}
    assert engine.submit(flow, {"number": 3}).result(PATIENCE) == {"only": 3}
