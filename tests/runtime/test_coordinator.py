"""The coordinator's loop, beside what the acceptance tests show of it."""

from __future__ import annotations

from collections.abc import Generator
from threading import Event
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.events.step import StepLeaseExpired
from flowledger.handlers import StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, completions, kinds, of_kind

flow = Workflow("coordinator", "flow", version="1")


@flow.step
def first(context: dict[str, Any]) -> int:
    return context["number"]


@flow.step(after=[first])
def second(first: int) -> int:
    return first + 1


slow = Workflow("coordinator", "slow", version="1")
entered, released = Event(), Event()


@slow.step
def blocked() -> str:
    entered.set()
    assert released.wait(PATIENCE)
    return "done"


robbed = Workflow("coordinator", "robbed", version="1")
robbery, never = Event(), Event()


@robbed.step
def step(call: StepContext) -> int:
    if call.attempt == 1:
        robbery.set()
        never.wait(PATIENCE)
    return call.attempt


@pytest.fixture
def _freed() -> Generator[None]:
    yield
    never.set()


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 1},
        {"max_cached_tasks": 1},
        # With a poll of ten minutes: what one commit leaves over must not wait for it.
        {"submission_batch_size": 1, "poll_seconds": 600.0, "lease_seconds": 36_000.0},
    ],
    ids=["events", "memory", "submissions"],
)
def test_small_batches_and_a_small_memory_change_nothing(
    harness: EngineHarness, settings: dict[str, float]
) -> None:
    engine = harness.open(flow, coordinator=settings)
    contexts = [{"number": number} for number in range(20)]
    with harness.connect() as connection:
        tasks = engine.submit_many(flow, contexts, connection=connection)
        connection.commit()
    tasks += engine.submit_many(flow, contexts)

    for task, context in zip(tasks, contexts * 2, strict=True):
        assert task.result(PATIENCE)["second"] == context["number"] + 1
        assert_legal_order(task.history(), flow.template)


def test_a_queue_row_that_was_lost_is_found_and_made_again(harness: EngineHarness) -> None:
    engine = harness.open(flow, roles=["coordinator"], coordinator={"reconcile_seconds": 60.0})
    task = engine.submit(flow, {"number": 1})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    harness.rows("delete from flowledger.queue")
    harness.open(flow, roles=["worker"])

    harness.move_clock("2 minutes")

    assert task.result(PATIENCE)["second"] == 2
    assert kinds(task.history(), "first") == ["StepEnqueued", "StepStarted", "StepCompleted"]


@pytest.mark.usefixtures("_freed")
def test_a_running_step_that_nobody_holds_is_given_up_when_it_is_seen_twice(
    harness: EngineHarness,
) -> None:
    engine = harness.open(robbed, coordinator={"reconcile_seconds": 60.0})
    task = engine.submit(robbed, {})
    assert robbery.wait(PATIENCE)
    harness.until(lambda: harness.value("select state from flowledger.step") == "in_progress")
    harness.rows("delete from flowledger.queue")

    for _ in range(2):
        # It forgets workers that are gone whenever it reconciles, and not before.
        harness.rows(
            "insert into flowledger.worker (worker_id, lease_until, started_at, host, pid)"
            " values (gen_random_uuid(), '-infinity', now(), 'gone', 1)"
        )
        harness.move_clock("1 minute")
        harness.until(
            lambda: not harness.value("select count(*) from flowledger.worker where host = 'gone'")
        )

    harness.until(lambda: "StepLeaseExpired" in kinds(task.history()))
    (lost,) = of_kind(task.history(), StepLeaseExpired)
    assert lost.worker is None
    assert task.result(PATIENCE) == {"step": 2}


def test_steps_of_a_worker_that_is_silent_past_its_lease_are_given_to_another(
    harness: EngineHarness,
) -> None:
    """The silent one reports in the end, and is refused."""
    first_worker = harness.open(slow, roles=["worker"], worker={"concurrency": 1})
    client = harness.open(slow, roles=["coordinator"])
    task = client.submit(slow, {})
    assert entered.wait(PATIENCE)
    harness.rows(
        "update flowledger.worker set lease_until = flowledger.clock() - interval '1 second'"
    )

    second_worker = harness.open(slow, roles=["worker"])
    harness.move_clock("1 second")
    harness.until(lambda: kinds(task.history()).count("StepStarted") == 2)
    released.set()

    assert task.result(PATIENCE) == {"blocked": "done"}
    assert kinds(task.history(), "blocked") == [
        "StepEnqueued", "StepStarted", "StepLeaseExpired",
        "StepEnqueued", "StepStarted", "StepCompleted",
    ]  # fmt: skip
    for engine in (first_worker, second_worker):
        engine.close()
    assert set(completions(harness).values()) == {1}


def test_a_completion_that_raced_a_decision_wins_where_it_was_first(harness: EngineHarness) -> None:
    """The coordinator's batch is refused as a whole; it reads the fact and decides again."""
    worker = {"concurrency": 1, "lease_seconds": 3.0, "lease_margin_seconds": 0.5}
    engine = harness.open(flow, worker=worker, coordinator={"batch_size": 1})
    tasks = engine.submit_many(flow, [{"number": number} for number in range(10)])
    for _ in range(5):
        harness.rows(
            "update flowledger.worker set lease_until = flowledger.clock() - interval '1 s'"
        )
        harness.move_clock("1 second")
    # The worker was never silent and does not know that it seemed so: it is renewed in time.
    harness.rows(
        "update flowledger.worker set lease_until = flowledger.clock() + interval '10 hours'"
    )

    for task in tasks:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert set(completions(harness).values()) == {1}
