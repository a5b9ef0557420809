"""The worker's loop, beside what the acceptance tests show of it."""

from __future__ import annotations

from collections import defaultdict
from threading import Event, Lock
from typing import Any, cast

import pytest

from flowledger.engine import InvalidConfiguration, Settings, TaskState
from flowledger.engine.errors import InvalidRequest
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, completions, kinds

flow = Workflow("worker", "flow", version="1")
other = Workflow("worker", "other", version="1")
counted = Workflow("worker", "counted", version="1")
stubborn = Workflow("worker", "stubborn", version="1")
elsewhere = Workflow("elsewhere", "flow", version="1")
wearing = Workflow("worker", "wearing", version="1")

lock = Lock()
at_once: list[int] = []
most: list[int] = [0]
entered: dict[int, Event] = defaultdict(Event)
released: dict[int, Event] = defaultdict(Event)


@flow.step
@other.step
@elsewhere.step
def first(context: dict[str, Any]) -> int:
    return context["number"]


@counted.step
def count(context: dict[str, Any]) -> None:
    with lock:
        at_once.append(context["number"])
        most[0] = max(most[0], len(at_once))
    with lock:
        at_once.remove(context["number"])


@stubborn.step(timeout=60, retry=Retry(max_attempts=3, backoff="none"))
def ignores_timeouts(step: StepContext) -> int:
    entered[step.attempt].set()
    assert released[step.attempt].wait(PATIENCE)
    return step.attempt


@wearing.step(timeout=60, retry=Retry(max_attempts=1))
def outlives_its_timeout() -> None:
    entered[-1].set()
    assert released[-1].wait(PATIENCE)


def test_a_worker_claims_only_steps_of_the_workflows_it_was_given(harness: EngineHarness) -> None:
    client = harness.open(flow, other, roles=["coordinator"])
    mine, theirs = client.submit(flow, {"number": 1}), client.submit(other, {"number": 2})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 2)

    harness.open(flow, roles=["worker"])

    assert mine.result(PATIENCE) == {"first": 1}
    assert kinds(theirs.history())[-1] == "StepEnqueued"
    harness.open(other, roles=["worker"])
    assert theirs.result(PATIENCE) == {"first": 2}


def test_no_more_handlers_run_at_once_than_are_allowed(harness: EngineHarness) -> None:
    engine = harness.open(counted, worker={"concurrency": 3})
    tasks = engine.submit_many(counted, [{"number": number} for number in range(100)])

    for task in tasks:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert 1 <= most[0] <= 3


def test_an_attempt_that_was_given_up_takes_a_place_until_its_handler_ends(
    harness: EngineHarness,
) -> None:
    """Two places, both taken by attempts of one step: the next step is left to another worker."""
    engine = harness.open(stubborn, flow, worker={"concurrency": 2})
    task = engine.submit(stubborn, {})
    timers = "select count(*) from flowledger.timer"
    assert entered[1].wait(PATIENCE)
    harness.until(lambda: harness.value(timers) == 1)
    harness.move_clock("61 seconds")
    assert entered[2].wait(PATIENCE)

    waiting = engine.submit(flow, {"number": 3})
    harness.until(lambda: kinds(waiting.history())[-1] != "TaskCreated")
    harness.open(flow, roles=["worker"])
    assert waiting.result(PATIENCE) == {"first": 3}
    released[1].set()
    released[2].set()

    assert task.result(PATIENCE) == {"ignores_timeouts": 2}
    assert set(completions(harness).values()) == {1}


def test_a_worker_claims_only_steps_of_its_namespaces(harness: EngineHarness) -> None:
    client = harness.open(flow, elsewhere, roles=["coordinator"])
    mine, theirs = client.submit(elsewhere, {"number": 1}), client.submit(flow, {"number": 2})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 2)

    harness.open(flow, elsewhere, roles=["worker"], worker={"namespaces": ("elsewhere", "nowhere")})

    assert mine.result(PATIENCE) == {"first": 1}
    assert kinds(theirs.history())[-1] == "StepEnqueued"


def test_a_worker_none_of_whose_workflows_is_in_its_namespaces_is_refused(
    harness: EngineHarness,
) -> None:
    expected = "worker.namespaces is nowhere: none of the workflows is in it, they are in worker"
    with pytest.raises(InvalidConfiguration, match=expected):
        harness.open(flow, other, worker={"namespaces": ("nowhere",)})

    harness.open(flow, roles=["coordinator"], worker={"namespaces": ("nowhere",)})


def test_namespaces_are_words_between_commas_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWLEDGER_WORKER__NAMESPACES", "shop, returns,")

    assert Settings.load().worker.namespaces == ("shop", "returns")


def test_a_worker_that_is_stuck_says_so_claims_nothing_and_recovers(
    harness: EngineHarness,
) -> None:
    """One of two places is taken by a handler that outlived its timeout and the grace."""
    engine = harness.open(
        wearing, flow, worker={"concurrency": 2, "heartbeat_seconds": 0.05, "poll_seconds": 0.05}
    )
    told, nobody = Event(), cast("Any", "call me")
    with pytest.raises(InvalidRequest, match="tell should be a function without parameters, got"):
        engine.on_worker_stuck(nobody)
    engine.on_worker_stuck(told.set)
    task = engine.submit(wearing, {})
    assert entered[-1].wait(PATIENCE)
    harness.until(lambda: harness.value("select count(*) from flowledger.timer") == 1)
    assert engine.health["handlers"].ok

    harness.move_clock("61 seconds")

    assert task.wait(PATIENCE) is TaskState.ERROR
    assert told.wait(PATIENCE)
    found = engine.health["handlers"]
    assert (found.ok, found.attempts) == (False, 1)
    assert "1 abandoned handlers take half or more of the worker's 2 places" in str(found.error)
    assert harness.value("select condition from flowledger.worker") == "stuck"
    waiting = engine.submit(flow, {"number": 3})
    harness.until(lambda: kinds(waiting.history())[-1] == "StepEnqueued")

    released[-1].set()

    assert waiting.result(PATIENCE) == {"first": 3}
    assert engine.health["handlers"].ok
    assert harness.value("select condition from flowledger.worker") == "ready"
