"""While engines work, verification sees nothing that is not there."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random
from typing import Any

import pytest

from flowledger.engine import Engine, TaskHandle
from flowledger.engine.client.replay import replayed
from flowledger.engine.client.verification import fitting
from flowledger.engine.events.step import StepCheckpointed
from flowledger.engine.ports.verification import VerifyProgress
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness
from support.manual_coordinator import ManualCoordinator

TASKS = 80
DISTURBED, MOST_LOOKS = 12, 1_000
ANN = {"reason": "to see", "actor": "ann", "timeout": 0}

busy = Workflow("load", "busy", version="1", identity="strict", concurrency={"limit": 40})
AT_ONCE = Retry(max_attempts=4, backoff="none")
SOON = Retry(max_attempts=4, backoff="fixed", base_seconds=0.05, jitter="none")


noting = Workflow("load", "noting", version="1")


@noting.step
def only() -> None:
    """Run by hand here."""


@busy.step
def begin(context: dict[str, Any]) -> int:
    return context["number"]


@busy.step(after=[begin], retry=AT_ONCE, timeout=60, system="bank")
def pay(begin: int, step: StepContext) -> int:
    if step.attempt <= begin % 3:
        raise ConnectionError("away")
    return 1


@busy.step(after=[begin], retry=SOON, start_timeout=60)
def note(begin: int, step: StepContext) -> int:
    step.checkpoint({"at": step.attempt})
    if step.attempt <= begin % 4:
        raise RuntimeError("not yet")
    step.checkpoint({"at": "end"})
    return 2


@busy.step(after=[begin], concurrency={"limit": 4, "key": "customer"})
async def pack(begin: int) -> int:
    return 3


@busy.step(after=[pay, note, pack])
def ship(pay: int, note: int, pack: int) -> int:
    return pay + note + pack


def submit(engine: Engine) -> list[TaskHandle]:
    contexts = [{"number": number, "customer": number % 5} for number in range(TASKS)]
    return engine.submit_many(busy, contexts)


def disturb(random: Random, tasks: list[TaskHandle]) -> None:
    """People ask for several things; nobody waits for the answers, which may be refusals."""
    for task in random.sample(tasks, 6):
        step = task.step(random.choice(["pay", "note", "pack", "ship"]))
        asks = [task.pause, task.resume, task.cancel, step.cancel, step.skip, step.reset]
        random.choice(asks)(**ANN)


@pytest.mark.parametrize("shards", [1, 3])
def test_nothing_differs_while_tasks_run(harness: EngineHarness, shards: int) -> None:
    # It hurries, is behind, and looks for lost queue rows all the time.
    settings = {"pipeline_events": 1, "batch_size": 16, "reconcile_seconds": 0.02, "shards": shards}
    # Probes may fail many times in a row, and each failure doubles the time up to the cap.
    bank = {
        "circuit_failure_threshold": 3,
        "circuit_open_seconds": 0.1,
        "circuit_open_cap_seconds": 0.1,
    }
    engine = harness.open(busy, coordinator=settings, limits=bank)
    watcher = harness.open(roles=())
    tasks = submit(engine)
    random = Random(shards)  # noqa: S311 - to be told again
    found: list[str] = []
    seen: list[int] = []

    for look in range(1, MOST_LOOKS):
        run = watcher.verify()
        found += map(str, run)
        seen.append(run.events)
        if look <= DISTURBED:
            disturb(random, tasks)
            continue
        rows = harness.rows("select task_id, paused from flowledger.task where ended_at is null")
        if not rows and run.tasks == TASKS:
            break
        for task, paused in rows:
            if paused:
                watcher.task(task).resume(**ANN)

    assert found == []
    assert len(set(seen)) > 3, "it looked while something happened"
    assert {task.wait(PATIENCE) for task in tasks}


def test_a_task_that_no_coordinator_has_met_is_no_difference(harness: EngineHarness) -> None:
    engine = harness.open(busy, roles=())
    task = engine.submit(busy, {"number": 1})
    with harness.connect() as connection:
        later = engine.submit(busy, {"number": 2}, connection=connection)

    assert list(engine.verify()) == []
    assert list(engine.verify(task.id)) == list(engine.verify(later.id)) == []


def test_as_many_tasks_are_read_at_once_as_have_so_many_events_together() -> None:
    few, many = [(n, 4) for n in "abc"], [("d", 50)]

    assert fitting(few, 8) == ["a", "b"]
    assert fitting([*many, *few], 8) == ["d"]
    assert fitting(few, 100) == ["a", "b", "c"]


def test_a_long_walk_tells_how_far_it_is(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowledger.engine.client.verification.TASKS_AT_ONCE", 10)
    engine = harness.open(busy, roles=())
    submit(engine)

    told = [found.tasks for _, found in engine.verify().look() if isinstance(found, VerifyProgress)]

    assert sum(told) == TASKS
    assert len(told) > TASKS / 10
    assert max(told) == 10


def test_a_checkpoint_is_in_the_row_with_the_batch_that_read_it(harness: EngineHarness) -> None:
    with ExitStack() as opened:
        stage = ManualCoordinator(harness, opened, noting, pipeline_events=1)
        task = stage.client.submit(noting, {})
        stage.settle()
        (claim,) = stage.worker.exchange(limit=1).claims
        stage.settle()
        for state in ("begun", "half"):
            noted = stage.worker.fact(StepCheckpointed, claim, state=state)
            assert stage.worker.board.checkpoint(stage.worker.identity, noted) is not None
        before = len(stage.ledger.stored)
        assert stage.coordinator.step() == 0
        harness.until(lambda: len(stage.ledger.stored) > before)

        assert stage.row(task.id) == ("in_progress", 4)
        assert list(stage.client.verify()) == []
        assert replayed(stage.client._tasks, task.id).differences == []
