"""A leader whose loop is busy, or waits long for the database, keeps its shard."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack

import pytest

from flowledger.handlers import Workflow
from support.engines import PATIENCE, SHORT_LEASES, Lab
from support.manual_coordinator import CLOCK, Stage

flow = Workflow("busy", "flow", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.fixture
def stage(lab: Lab) -> Generator[Stage]:
    with ExitStack() as opened:
        yield Stage(lab, opened, flow)


def test_a_leader_that_waits_for_several_leases_is_not_replaced(lab: Lab) -> None:
    engines = [lab.open(flow, roles=["coordinator"], **SHORT_LEASES) for _ in range(2)]
    client = lab.open(flow, roles=["worker"])
    assert client.submit(flow, {}).result(PATIENCE) == {"only": 1}
    epoch = lab.value("select epoch from flowledger.shard")
    begun = lab.value("select clock_timestamp()")
    with lab.connect() as locking:
        locking.execute("lock table flowledger.timer in access exclusive mode")
        task = client.submit(flow, {})

        lab.until(lambda: lab.value("select clock_timestamp() > %s + interval '4 s'", begun))

        assert lab.value("select epoch from flowledger.shard") == epoch
    assert task.result(PATIENCE) == {"only": 1}
    assert lab.value("select epoch from flowledger.shard") == epoch
    assert all(one.ok for engine in engines for one in engine.health.values())


def test_nothing_long_is_asked_before_the_first_commit_of_a_new_leader(stage: Stage) -> None:
    asked: list[str] = []
    unqueued = stage.ledger.unqueued
    stage.ledger.unqueued = lambda limit: asked.append("unqueued") or unqueued(limit)  # type: ignore[method-assign,func-returns-value]
    stage.ledger.after = lambda _: asked.append("commit")
    stage.client.submit(flow, {})

    for _ in range(3):
        stage.coordinator.step(CLOCK)
    assert asked == ["commit"]
    stage.lab.move_clock("1 minute")
    for _ in range(3):
        stage.coordinator.step(CLOCK)

    assert "unqueued" in asked


paced = Workflow("busy", "paced", version="1")


@paced.step(rate={"limit": 1, "per_seconds": 1.0, "key": "customer"})
def charge() -> int:
    return 1


def test_rates_of_many_customers_are_not_remembered_for_ever(lab: Lab) -> None:
    with ExitStack() as opened:
        stage = Stage(lab, opened, paced)
        for day in range(3):
            stage.client.submit_many(paced, [{"customer": f"{day}-{n}"} for n in range(50)])
            stage.settle()
            lab.move_clock("1 day")
            stage.settle()
            stage.settle()
        again = stage.client.submit(paced, {"customer": "0-0"})
        stage.settle()

        assert stage.coordinator._admissions.control.paced == 1
        assert lab.value("select count(*) from flowledger.rate") == 1
        assert again.steps()["charge"].state == "enqueued"
