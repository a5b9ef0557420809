"""Somebody sets the clock of a host: nothing comes early or late, and the step is told."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowledger.engine.events.step import StepAttemptFailed, StepRetryScheduled, StepStarted
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.store.connection import clock as clock_module
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.handlers import Retry, Workflow
from support.builders import error
from support.engines import PATIENCE, EngineHarness, of_kind
from support.manual_coordinator import ManualCoordinator

HOUR = timedelta(hours=1)
SLACK = timedelta(seconds=20)

flow = Workflow("steps", "retried", version="1", deadline=300)


@flow.step(timeout=60, retry=Retry(base_seconds=30, cap_seconds=30, backoff="fixed", jitter="none"))
def only(context: dict[str, Any]) -> int:
    return context["number"]


class SetClock:
    """The clock of a host that a test sets."""

    def __init__(self) -> None:
        self.by = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "back"])
def test_retries_and_timeouts_are_due_when_they_would_have_been(
    harness: EngineHarness, by: timedelta
) -> None:
    of_coordinator, of_worker = SetClock(), SetClock()
    with ExitStack() as opened:
        stage = ManualCoordinator(harness, opened, flow)
        replace_clock(stage.clock, of_coordinator)
        replace_clock(stage.worker.clock, of_worker)
        task = stage.client.submit(flow, {"number": 1})
        stage.settle()
        of_coordinator.by = of_worker.by = by
        (claim,) = stage.worker.exchange(limit=1).claims
        stage.settle()
        timer = harness.value("select due_at from flowledger.timer where kind = 'timeout'")
        stage.worker.exchange([stage.worker.fact(StepAttemptFailed, claim, error=error())])
        stage.settle()
        of_coordinator.by = of_worker.by = timedelta()
        stage.settle()

    now = harness.value("select flowledger.clock()")
    assert abs(timer - now - timedelta(seconds=60)) < SLACK
    (scheduled,) = of_kind(task.history(), StepRetryScheduled)
    assert abs(scheduled.due_at - now - timedelta(seconds=30)) < SLACK
    assert all(abs(one.event.occurred_at - now) < SLACK for one in task.history())
    assert of_kind(task.history(), StepStarted)


def replace_clock(clock: DatabaseClock, wall: SetClock) -> None:
    """Give a clock that is in use the wall clock of another host, from now on."""
    clock.__init__(wall=wall)  # type: ignore[misc]


def test_an_application_whose_host_is_an_hour_off_submits_by_the_databases_time(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = SetClock()
    wrong.by = HOUR
    monkeypatch.setattr(clock_module, "wall_time", wrong)
    monkeypatch.setattr(
        DatabaseClock.__init__, "__defaults__", (wrong, clock_module.steady_seconds)
    )
    engine = harness.open(flow, roles=())

    task = engine.submit(flow, {"number": 1})

    now = harness.value("select flowledger.clock()")
    (created,) = of_kind(task.history(), TaskCreated)
    assert abs(created.occurred_at - now) < SLACK
    assert abs(created.deadline_at - now - timedelta(seconds=300)) < SLACK


def test_a_step_is_told_by_health_and_in_the_log(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flowledger")
    host = SetClock()
    monkeypatch.setattr(DatabaseClock.__init__, "__defaults__", (host, clock_module.steady_seconds))
    engine = harness.open(flow, coordinator={"poll_seconds": 0.05})
    assert engine.health["clock"].ok

    host.by = HOUR
    harness.until(lambda: not engine.health["clock"].ok)

    assert "the clock of this host stepped by +36" in str(engine.health["clock"].error)
    harness.until(lambda: "clock.stepped" in caplog.text)  # told right after
    assert engine.submit(flow, {"number": 1}).result(PATIENCE) == {"only": 1}
