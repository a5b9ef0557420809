"""The time for which something could have gone on and did not is told by the reason."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.events.circuit import CircuitClosed, CircuitHalfOpened, CircuitOpened
from flowledger.engine.events.step import StepEnqueued
from flowledger.engine.events.task import TaskStarted
from flowledger.projections.builtin import Analytics, Systems
from support.builders import NOON, step
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness, of_kind
from support.limits import waiting_steps
from support.read_model_histories import ReadModels, circuit, placed

ACT = {"handler": {"callable": "act"}}
ONCE = {**ACT, "retry": {"max_attempts": 1}}
LATER = {**ACT, "retry": {"max_attempts": 2, "base_seconds": 300, "cap_seconds": 300}}
WORD: RequestOptions = {"reason": "ticket 7", "actor": "ada"}

single = controlled_steps(step("a", concurrency={"limit": 1}, **ACT), name="single")
rated = controlled_steps(step("a", rate={"limit": 1, "per_seconds": 120}, **ACT), name="rated")
plain = controlled_steps(step("a", **ACT), step("b", "a", **ACT), name="plain")
patient = controlled_steps(step("a", **LATER), name="patient")
blocking = controlled_steps(step("a", **ONCE), name="blocking", on_failure="block")
banking = controlled_steps(
    step("a", system="bank", **{**ACT, "retry": {"backoff": "none"}}), name="banking"
)

CIRCUIT = {
    "circuit_failure_threshold": 1,
    "circuit_open_seconds": 60.0,
    "circuit_categories": ["unknown"],
}


@pytest.fixture
def engine(harness: EngineHarness) -> Engine:
    workflows = single, rated, plain, patient, blocking, banking
    return harness.open(*workflows, projections=(Analytics, Systems), limits=CIRCUIT)


def later(engine: Engine, harness: EngineHarness, seconds: int) -> None:
    """Move the clock, and wait until the engine knows."""
    then = engine._submitting._clock.now() + timedelta(seconds=seconds)
    harness.move_clock(f"{seconds} seconds")
    harness.until(lambda: engine._submitting._clock.now() >= then)


def seconds(engine: Engine, harness: EngineHarness, reason: str) -> list[tuple[int, float]]:
    """How often, and for how many whole seconds in all."""
    engine.projections.wait_for("flowledger_analytics", timeout=PATIENCE)
    return [
        (times, round(total))
        for times, total in harness.rows(
            "select times, total_seconds from flowledger_v1.blocked_time('1 day')"
            " where reason = %s",
            reason,
        )
    ]


def held(task: TaskHandle) -> list[str | None]:
    return [event.waited_for for event in of_kind(task.history(), StepEnqueued)]


def test_a_step_that_waits_for_a_slot(engine: Engine, harness: EngineHarness) -> None:
    world, first = begin(engine, single, waits="a")
    assert world.started["a"].wait(PATIENCE)
    _, second = begin(engine, single)
    harness.until(lambda: waiting_steps(harness))
    later(engine, harness, 90)

    world.go["a"].set()
    second.wait(PATIENCE)

    assert seconds(engine, harness, "concurrency") == [(1, 90)]
    assert (held(first), held(second)) == ([None], ["slot"])


def test_a_step_that_waits_for_a_rate(engine: Engine, harness: EngineHarness) -> None:
    tasks = [begin(engine, rated)[1] for _ in range(2)]
    harness.until(lambda: waiting_steps(harness))
    later(engine, harness, 121)

    for task in tasks:
        task.wait(PATIENCE)

    ((times, total),) = seconds(engine, harness, "rate_limit")
    assert (times, 120 <= total <= 122) == (1, True)


def test_a_step_of_a_system_that_fails(engine: Engine, harness: EngineHarness) -> None:
    world, task = begin(engine, banking, fails="a")
    harness.until(lambda: waiting_steps(harness))
    world.fails.clear()
    later(engine, harness, 61)

    task.result(PATIENCE)

    assert seconds(engine, harness, "circuit") == [(1, 61)]
    engine.projections.wait_for("flowledger_systems", timeout=PATIENCE)
    assert harness.rows(
        "select system, state, openings, failures, round(shut_seconds)::int, steps"
        " from flowledger_v1.dependent_systems"
    ) == [("bank", "closed", 1, 1, 61, ["shop/banking@1 a"])]


def test_a_step_of_a_template_that_is_paused(engine: Engine, harness: EngineHarness) -> None:
    engine.register(plain)
    engine.pause_template("shop/plain@1", **WORD)
    _, task = begin(engine, plain)
    harness.until(lambda: waiting_steps(harness))
    later(engine, harness, 70)

    engine.resume_template("shop/plain@1", **WORD)
    task.wait(PATIENCE)

    assert seconds(engine, harness, "template_paused") == [(1, 70)]


def test_a_retry_whose_time_has_not_come(engine: Engine, harness: EngineHarness) -> None:
    world, task = begin(engine, patient, fails="a")
    harness.until(lambda: task.state is TaskState.WAITING)
    world.fails.clear()
    later(engine, harness, 400)

    task.result(PATIENCE)

    ((times, total),) = seconds(engine, harness, "retry")
    assert times == 1
    assert total <= 300, "what comes behind the due time is no part of the wait"


def test_a_step_that_no_worker_takes(harness: EngineHarness) -> None:
    client = harness.open(patient, roles=["coordinator", "projector"], projections=[Analytics])
    _, task = begin(client, patient)
    harness.until(lambda: of_kind(task.history(), StepEnqueued))
    harness.move_clock("50 seconds")

    harness.open(patient, roles=["worker"])
    task.wait(PATIENCE)

    ((times, total),) = seconds(client, harness, "queue")
    assert (times, 50 <= total <= 52) == (1, True)


def test_a_task_that_was_paused(engine: Engine, harness: EngineHarness) -> None:
    world, task = begin(engine, plain, waits="a")
    assert world.started["a"].wait(PATIENCE)
    task.pause(**WORD)
    later(engine, harness, 80)

    task.resume(**WORD)
    world.go["a"].set()
    task.wait(PATIENCE)

    assert seconds(engine, harness, "paused") == [(1, 80)]


def test_a_task_that_ended_while_it_was_paused(engine: Engine, harness: EngineHarness) -> None:
    world, task = begin(engine, plain, waits="a")
    assert world.started["a"].wait(PATIENCE)
    task.pause(**WORD)
    later(engine, harness, 30)

    task.cancel(**WORD)
    world.go["a"].set()

    assert seconds(engine, harness, "paused") == [(1, 30)]


def test_a_task_that_waits_for_an_operator(engine: Engine, harness: EngineHarness) -> None:
    _, task = begin(engine, blocking, fails="a")
    harness.until(lambda: task.state is TaskState.BLOCKED)
    later(engine, harness, 120)

    task.fail(**WORD)

    assert seconds(engine, harness, "operator") == [(1, 120)]


def test_a_task_that_was_to_start_later(engine: Engine, harness: EngineHarness) -> None:
    now = harness.value("select flowledger.clock()")
    _, task = begin(engine, plain, start_at=now + timedelta(seconds=100))
    harness.until(lambda: task.state is TaskState.WAITING)
    later(engine, harness, 130)

    task.wait(PATIENCE)

    assert seconds(engine, harness, "delayed_start") == [(1, 100)]
    ((times, total),) = seconds(engine, harness, "coordinator")
    assert (times, 29 <= total <= 31) == (1, True)


def test_a_task_that_no_coordinator_takes_on(harness: EngineHarness) -> None:
    client = harness.open(plain, roles=["projector"], projections=[Analytics])
    _, task = begin(client, plain)
    harness.move_clock("40 seconds")

    harness.open(plain, roles=["coordinator", "worker"])
    task.wait(PATIENCE)

    ((times, total),) = seconds(client, harness, "coordinator")
    assert (times, 40 <= total <= 42) == (1, True)


def test_reasons_are_told_by_template(engine: Engine, harness: EngineHarness) -> None:
    begin(engine, plain)[1].wait(PATIENCE)
    engine.projections.wait_for("flowledger_analytics", timeout=PATIENCE)
    query = "select count(*) from flowledger_v1.blocked_time(of_template => %s)"

    assert harness.value(query, "plain") > 0
    assert harness.value(query, "single") == 0


def test_a_system_is_shut_from_its_first_opening_until_it_closes(models: ReadModels) -> None:
    until = NOON + timedelta(seconds=60)
    log = placed(
        [
            circuit(CircuitOpened, 0, failures=3, until=until),
            circuit(CircuitHalfOpened, 60),
            circuit(CircuitOpened, 61, failures=1, until=until + timedelta(seconds=60)),
            circuit(CircuitHalfOpened, 121),
            circuit(CircuitClosed, 123),
            circuit(CircuitOpened, 500, failures=3, until=until + timedelta(seconds=600)),
        ]
    )

    (bank,) = models.made(Systems, log)["system"]

    assert (bank["state"], bank["openings"], bank["failures"]) == ("open", 3, 7)
    assert bank["shut_time"] == "00:02:03"
    assert datetime.fromisoformat(bank["shut_since"]) == NOON + timedelta(seconds=500)


@pytest.mark.parametrize(
    ("resumed", "paused", "delayed"),
    [(300, [], [(1, 600)]), (900, [(1, 300)], [(1, 600)])],
)
def test_a_task_that_is_paused_before_it_was_to_start_waits_for_its_start(
    engine: Engine,
    harness: EngineHarness,
    resumed: int,
    paused: list[tuple[int, float]],
    delayed: list[tuple[int, float]],
) -> None:
    start_at = engine._submitting._clock.now() + timedelta(seconds=600)
    _, task = begin(engine, plain, start_at=start_at)
    harness.until(lambda: task.state is TaskState.WAITING)
    task.pause(**WORD)
    later(engine, harness, resumed)
    task.resume(**WORD)
    if resumed < 600:
        later(engine, harness, 600 - resumed)

    harness.until(lambda: of_kind(task.history(), TaskStarted))

    assert seconds(engine, harness, "paused") == paused
    assert seconds(engine, harness, "delayed_start") == delayed
    assert sum(total for _, total in seconds(engine, harness, "coordinator")) < 30
