"""The worker's loop, beside what the acceptance tests show of it."""

from __future__ import annotations

from collections import defaultdict
from threading import Event, Lock
from typing import Any

from lab import PATIENCE, Lab, completions, kinds

from flowledger.engine import TaskState
from flowledger.handlers import Retry, StepContext, Workflow

flow = Workflow("worker", "flow", version="1")
other = Workflow("worker", "other", version="1")
counted = Workflow("worker", "counted", version="1")
stubborn = Workflow("worker", "stubborn", version="1")

lock = Lock()
at_once: list[int] = []
most: list[int] = [0]
entered: dict[int, Event] = defaultdict(Event)
released: dict[int, Event] = defaultdict(Event)


@flow.step
@other.step
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


def test_a_worker_claims_only_steps_of_the_workflows_it_was_given(lab: Lab) -> None:
    client = lab.open(flow, other, roles=["coordinator"])
    mine, theirs = client.submit(flow, {"number": 1}), client.submit(other, {"number": 2})
    lab.until(lambda: lab.value("select count(*) from flowledger.queue") == 2)

    lab.open(flow, roles=["worker"])

    assert mine.result(PATIENCE) == {"first": 1}
    assert kinds(theirs.history())[-1] == "StepEnqueued"
    lab.open(other, roles=["worker"])
    assert theirs.result(PATIENCE) == {"first": 2}


def test_no_more_handlers_run_at_once_than_are_allowed(lab: Lab) -> None:
    engine = lab.open(counted, worker={"concurrency": 3})
    tasks = engine.submit_many(counted, [{"number": number} for number in range(100)])

    for task in tasks:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert 1 <= most[0] <= 3


def test_an_attempt_that_was_given_up_takes_a_place_until_its_handler_ends(lab: Lab) -> None:
    """Two places, both taken by attempts of one step: the next step is left to another worker."""
    engine = lab.open(stubborn, flow, worker={"concurrency": 2})
    task = engine.submit(stubborn, {})
    timers = "select count(*) from flowledger.timer"
    assert entered[1].wait(PATIENCE)
    lab.until(lambda: lab.value(timers) == 1)
    lab.move_clock("61 seconds")
    assert entered[2].wait(PATIENCE)

    waiting = engine.submit(flow, {"number": 3})
    lab.until(lambda: kinds(waiting.history())[-1] != "TaskCreated")
    lab.open(flow, roles=["worker"])
    assert waiting.result(PATIENCE) == {"first": 3}
    released[1].set()
    released[2].set()

    assert task.result(PATIENCE) == {"ignores_timeouts": 2}
    assert set(completions(lab).values()) == {1}
