"""Stopping the roles of a process: what runs is finished or handed back."""

from __future__ import annotations

from collections import defaultdict
from threading import Event, Thread
from typing import Any

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.client.engine import ALL_ROLES, Role
from flowledger.engine.config import Settings
from flowledger.engine.errors import DatabaseUnavailable, EngineClosed
from flowledger.engine.runtime.loop import Loop
from flowledger.engine.store.notifications import ProcessWakeup
from flowledger.engine.telemetry.outages import Backoff
from flowledger.handlers import StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, completions, kinds

flow = Workflow("service", "flow", version="1")
entered: dict[tuple[str, int], Event] = defaultdict(Event)
released: dict[tuple[str, int], Event] = defaultdict(Event)


@flow.step
def slow(context: dict[str, str], step: StepContext) -> int:
    entered[context["name"], step.attempt].set()
    assert released[context["name"], step.attempt].wait(PATIENCE)
    return step.attempt


@flow.step(after=[slow])
async def after_slow(slow: int) -> int:
    return slow


def running(engine: Engine, name: str) -> TaskHandle:
    task = engine.submit(flow, {"name": name})
    assert entered[name, 1].wait(PATIENCE)
    return task


def test_what_runs_is_finished_within_the_grace(harness: EngineHarness) -> None:
    worker = harness.open(flow, worker={"grace_seconds": PATIENCE})
    task = running(worker, "in grace")
    closing = Thread(target=worker.close)
    closing.start()
    released["in grace", 1].set()
    closing.join(PATIENCE)
    assert not closing.is_alive()

    client = harness.open(flow)

    assert client.task(task.id).result(PATIENCE) == {"slow": 1, "after_slow": 1}
    assert "StepReleased" not in kinds(client.task(task.id).history())


def test_what_outlasts_the_grace_is_handed_back_and_run_by_the_next_worker(
    harness: EngineHarness,
) -> None:
    first = harness.open(flow, worker={"grace_seconds": 0.1})
    task = running(first, "handed back")
    first.close()
    assert harness.value("select count(*) from flowledger.worker") == 0
    assert harness.value("select count(*) from flowledger.queue where worker_id is not null") == 0

    second = harness.open(flow)
    assert entered["handed back", 2].wait(PATIENCE)
    released["handed back", 2].set()

    found = second.task(task.id)
    assert found.result(PATIENCE) == {"slow": 2, "after_slow": 2}
    released["handed back", 1].set()
    assert kinds(found.history(), "slow") == [
        "StepEnqueued", "StepStarted", "StepReleased",
        "StepEnqueued", "StepStarted", "StepCompleted",
    ]  # fmt: skip
    assert_legal_order(found.history(), flow.template)
    assert set(completions(harness).values()) == {1}


def test_a_step_that_is_handed_back_costs_no_attempt_of_its_policy(harness: EngineHarness) -> None:
    """Three workers stop on it, and the policy allows three attempts."""
    client = harness.open(flow, roles=["coordinator"])
    task = client.submit(flow, {"name": "often"})
    for attempt in (1, 2, 3):
        worker = harness.open(flow, roles=["worker"], worker={"grace_seconds": 0.01})
        assert entered["often", attempt].wait(PATIENCE)
        worker.close()
    harness.open(flow, roles=["worker"])
    released["often", 4].set()

    assert task.result(PATIENCE)["slow"] == 4
    for attempt in (1, 2, 3):
        released["often", attempt].set()


def test_closing_twice_and_closing_without_a_database_do_no_harm(harness: EngineHarness) -> None:
    engine = harness.open(flow)
    engine.submit(flow, {"name": "x"})
    released["x", 1].set()
    harness.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and application_name = 'flowledger'"
    )

    engine.close()
    engine.close()


def test_whatever_is_asked_of_a_closed_engine_says_that_it_is_closed(
    harness: EngineHarness,
) -> None:
    engine = harness.open(flow, roles=())
    task = engine.submit(flow, {"name": "closed"})
    engine.close()

    for ask in (
        lambda: engine.submit(flow, {"name": "late"}),
        lambda: task.state,
        lambda: task.wait(1),
        task.history,
        task.steps,
        task.progress,
    ):
        with pytest.raises(EngineClosed, match="the engine was closed"):
            ask()


@pytest.mark.parametrize("roles", [(), ALL_ROLES], ids=["client", "all roles"])
def test_of_a_closed_engine_nothing_is_well(
    harness: EngineHarness, roles: tuple[Role, ...]
) -> None:
    engine = harness.open(flow, roles=roles)
    harness.until(lambda: all(each.ok for each in engine.health.values()))

    engine.close()

    assert {each.error for each in engine.health.values()} == {"the engine is closed"}


def test_a_coordinator_that_stops_lets_the_next_lead_at_once(harness: EngineHarness) -> None:
    harness.open(flow, coordinator={"lease_seconds": 36_000.0}).close()
    second = harness.open(flow, coordinator={"lease_seconds": 36_000.0})
    task = second.submit(flow, {"name": "next"})
    released["next", 1].set()

    assert task.wait(PATIENCE) is TaskState.COMPLETE


def test_an_engine_cannot_be_opened_where_no_database_answers(tmp_path: Any) -> None:
    url = f"postgresql://nobody@/nothing?host={tmp_path}"

    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        Engine.open(settings=Settings.load(database={"url": url}))


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), ValueError("odd")])
def test_a_loop_outlives_whatever_its_step_raises(error: Exception) -> None:
    again, wakeup = Event(), ProcessWakeup()
    visits: list[frozenset[str]] = []

    def step(woken_by: frozenset[str]) -> float:
        visits.append(woken_by)
        if len(visits) <= 3:
            raise error
        again.set()
        return PATIENCE

    loop = Loop("test", step, wakeup, Backoff(0.001, 0.002))
    loop.start()

    assert again.wait(PATIENCE)
    loop.stop()
    assert len(visits) == 4


def test_pauses_double_up_to_their_cap_and_begin_anew() -> None:
    backoff = Backoff(1, 5)

    pauses = [backoff.pause() for _ in range(5)]

    for pause, longest in zip(pauses, (1, 2, 4, 5, 5), strict=True):
        assert longest / 2 <= pause <= longest
    backoff.reset()
    assert backoff.pause() <= 1
