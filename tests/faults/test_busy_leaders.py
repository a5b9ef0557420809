"""A leader whose loop is busy, or waits long for the database, keeps its shard."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack

import pytest

from flowledger.handlers import Workflow
from support.engines import PATIENCE, SHORT_LEASES, EngineHarness
from support.manual_coordinator import CLOCK, ManualCoordinator

flow = Workflow("busy", "flow", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.fixture
def stage(harness: EngineHarness) -> Generator[ManualCoordinator]:
    with ExitStack() as opened:
        yield ManualCoordinator(harness, opened, flow)


def test_a_leader_that_waits_for_several_leases_is_not_replaced(harness: EngineHarness) -> None:
    engines = [harness.open(flow, roles=["coordinator"], **SHORT_LEASES) for _ in range(2)]
    client = harness.open(flow, roles=["worker"])
    assert client.submit(flow, {}).result(PATIENCE) == {"only": 1}
    epoch = harness.value("select epoch from flowledger.shard")
    begun = harness.value("select clock_timestamp()")
    with harness.connect() as locking:
        locking.execute("lock table flowledger.timer in access exclusive mode")
        task = client.submit(flow, {})

        harness.until(
            lambda: harness.value("select clock_timestamp() > %s + interval '4 s'", begun)
        )

        assert harness.value("select epoch from flowledger.shard") == epoch
    assert task.result(PATIENCE) == {"only": 1}
    assert harness.value("select epoch from flowledger.shard") == epoch
    assert all(one.ok for engine in engines for one in engine.health.values())


def test_nothing_long_is_asked_before_the_first_commit_of_a_new_leader(
    stage: ManualCoordinator,
) -> None:
    asked: list[str] = []
    unqueued = stage.ledger.unqueued
    stage.ledger.unqueued = lambda limit: asked.append("unqueued") or unqueued(limit)  # type: ignore[method-assign,func-returns-value]
    stage.ledger.after = lambda _: asked.append("commit")
    stage.client.submit(flow, {})

    for _ in range(3):
        stage.coordinator.step(CLOCK)
    assert asked == ["commit"]
    stage.harness.move_clock("1 minute")
    for _ in range(3):
        stage.coordinator.step(CLOCK)

    assert "unqueued" in asked


paced = Workflow("busy", "paced", version="1")


@paced.step(rate={"limit": 1, "per_seconds": 1.0, "key": "customer"})
def charge() -> int:
    return 1


def test_rates_of_many_customers_are_not_remembered_for_ever(harness: EngineHarness) -> None:
    with ExitStack() as opened:
        stage = ManualCoordinator(harness, opened, paced, begin_ahead_steps=1_000)
        for day in range(3):
            stage.client.submit_many(paced, [{"customer": f"{day}-{n}"} for n in range(50)])
            stage.settle()
            harness.move_clock("1 day")
            stage.settle()
            stage.settle()
        again = stage.client.submit(paced, {"customer": "0-0"})
        stage.settle()

        assert stage.coordinator._admissions.control.paced == 1
        assert harness.value("select count(*) from flowledger.rate") == 1
        assert again.steps()["charge"].state == "enqueued"
