"""Why a step does not run, and why a task has not ended: every kind of reason, forced for real."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from flowledger.engine import TaskState
from flowledger.engine.domain.explain.reasons import ReasonKind
from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from flowledger.engine.events.step import StepCompleted
from support.controlled_steps import begin
from support.engines import PATIENCE, EngineHarness
from support.explain_workflows import (
    WHY,
    Seen,
    banked,
    bare,
    blocking,
    chain,
    first,
    forced,
    forces,
    found,
    narrow,
    paced,
    stage_of,
    topic_of,
    until,
    with_an_unreadable_event,
)
from support.manual_worker import ManualWorker


@forces(ReasonKind.SUBMITTED, ReasonKind.COORDINATOR_BEHIND)
def test_a_task_that_nobody_has_taken_on_says_so_and_that_nobody_leads(
    harness: EngineHarness,
) -> None:
    _, task = begin(harness.open(chain, roles=()), chain)

    told = task.explain()
    reason = first(told, ReasonKind.SUBMITTED)
    assert told.state is TaskState.SUBMITTED
    assert topic_of(task, reason) == "task.created"
    assert reason.earliest is None
    assert reason.sentence.endswith("a coordinator must run to take it on")
    leaderless = found(told, ReasonKind.COORDINATOR_BEHIND)
    assert "no coordinator leads shard 0" in leaderless.sentence
    assert first(task.explain("a"), ReasonKind.SUBMITTED).steps == ("a",)


@forces(ReasonKind.DELAYED_START, ReasonKind.DEPENDENCY, ReasonKind.DEADLINE)
def test_a_delayed_start_says_when(harness: EngineHarness) -> None:
    start = datetime.now(UTC) + timedelta(hours=1)
    _, task = begin(
        harness.open(chain), chain, start_at=start, deadline_at=start + timedelta(hours=1)
    )
    harness.until(lambda: task.state is TaskState.WAITING)

    told = task.explain("c")

    assert first(told, ReasonKind.DELAYED_START).earliest == start
    assert found(told, ReasonKind.DEPENDENCY).earliest == start
    assert found(told, ReasonKind.DEADLINE).earliest == start + timedelta(hours=1)
    assert task.explain().kinds[0] is ReasonKind.DELAYED_START


@forces(ReasonKind.WAITS_TO_BEGIN)
def test_a_task_that_waits_to_begin_says_how_many_come_before_it(harness: EngineHarness) -> None:
    engine = harness.open(chain, roles=["coordinator"], coordinator={"begin_ahead_steps": 2})
    tasks = engine.submit_many(chain, [{}] * 6)
    harness.until(lambda: harness.value("select count(*) from flowledger.task") == 6)
    with ExitStack() as opened:
        ManualWorker(harness, opened, chain)
        told = first(tasks[5].explain(), ReasonKind.WAITS_TO_BEGIN)
        assert "no further task of shop/order@1 begins, and 3 come before it" in told.sentence
        assert tasks[2].explain().reasons[0].sentence.endswith("; it is the next")


@forces(ReasonKind.DEPENDENCY, ReasonKind.RUNNING)
def test_a_step_says_what_it_waits_for_and_where_that_runs(harness: EngineHarness) -> None:
    engine = harness.open(chain)
    world, task = begin(engine, chain, waits="a")
    assert world.started["a"].wait(PATIENCE)

    told = task.explain("b")
    reason = first(told, ReasonKind.DEPENDENCY)
    assert reason.sentence.startswith("waits for a, which is running: attempt 1 began ")
    assert reason.details.items() >= {"dependency": "a", "state": "in_progress"}.items()
    assert topic_of(task, reason) == "step.started"
    running = first(task.explain("a"), ReasonKind.RUNNING)
    assert running.details["host"]
    assert running.details["seen_at"] < running.details["lease_until"]  # type: ignore[operator]
    assert topic_of(task, running) == "step.started"
    whole = task.explain()
    assert [(one.kind, one.steps) for one in whole] == [
        (ReasonKind.RUNNING, ("a",)),
        (ReasonKind.DEPENDENCY, ("b", "c")),
    ]
    assert whole[1].sentence == "b and c wait for a"
    assert whole[1].cause == running.cause
    world.go["a"].set()


@forces(ReasonKind.RETRY)
def test_a_retry_says_what_failed_and_when_it_is_tried_again(harness: EngineHarness) -> None:
    _, task = begin(harness.open(chain), chain, fails="a")
    told = until(harness, task, "a", ReasonKind.RETRY)

    reason = first(told, ReasonKind.RETRY)
    assert "a is broken; attempt 2 in 1 min" in reason.sentence
    assert topic_of(task, reason) == "step.retry_scheduled"
    due = harness.value("select due_at from flowledger.timer where task_id = %s", task.id)
    assert reason.earliest == due
    assert found(task.explain("c"), ReasonKind.DEPENDENCY).earliest == due
    for kind in (ReasonKind.RETRY, ReasonKind.DEPENDENCY):
        assert found(task.explain(), kind).earliest == due


@forces(ReasonKind.PAUSED)
def test_a_paused_task_says_who_paused_it_and_its_steps_say_so_too(harness: EngineHarness) -> None:
    _, task = begin(harness.open(chain), chain, fails="a")
    until(harness, task, "a", ReasonKind.RETRY)
    task.pause(**WHY)

    reason = first(task.explain("c"), ReasonKind.PAUSED)
    assert reason.sentence.startswith("paused by ada: ticket 7")
    assert topic_of(task, reason) == "task.paused"
    assert reason.cause is not None
    assert reason.cause.actor == "ada"
    assert task.explain("a").kinds == (ReasonKind.PAUSED, ReasonKind.RETRY)
    assert task.explain("b").kinds == (ReasonKind.PAUSED, ReasonKind.DEPENDENCY)


@forces(ReasonKind.PAUSED)
def test_a_paused_template_says_who_paused_it(harness: EngineHarness) -> None:
    engine = harness.open(chain)
    engine.pause_template(chain.template.key, **WHY)
    _, task = begin(engine, chain)
    harness.until(lambda: harness.value("select count(*) from flowledger.waiting_step") == 1)

    reason = first(task.explain("a"), ReasonKind.PAUSED)

    assert task.explain("a").kinds == (ReasonKind.PAUSED,)
    assert reason.sentence.startswith("template shop/order@1 is paused by ada: ticket 7")
    assert reason.cause is not None
    assert reason.cause.topic == "template.paused"


@forces(ReasonKind.CONCURRENCY)
def test_a_full_limit_says_who_holds_it_and_who_comes_before(harness: EngineHarness) -> None:
    engine = harness.open(narrow)
    world, holder = begin(engine, narrow, waits="a")
    assert world.started["a"].wait(PATIENCE)
    _, second = begin(engine, narrow)
    until(harness, second, "a", ReasonKind.CONCURRENCY)
    _, third = begin(engine, narrow)
    told = until(harness, third, "a", ReasonKind.CONCURRENCY)

    reason = first(told, ReasonKind.CONCURRENCY)
    assert reason.about == "step:shop/narrow/a"
    assert f"the one slot of step:shop/narrow/a is taken, by a of task {holder.id}" in (
        reason.sentence
    )
    (by,) = reason.details["holders"]  # type: ignore[misc]
    assert by["task"] == str(holder.id)
    assert reason.details["before"] == 1
    assert topic_of(holder, reason) == "step.started"
    (whole,) = [one for one in third.explain() if one.kind is ReasonKind.CONCURRENCY]
    assert whole.sentence.startswith("a: is ready; held back for")
    world.go["a"].set()


@forces(ReasonKind.UNRECORDED)
def test_what_a_limit_did_earlier_is_not_in_the_log(harness: EngineHarness) -> None:
    engine = harness.open(narrow)
    world, _ = begin(engine, narrow, waits="a")
    assert world.started["a"].wait(PATIENCE)
    _, second = begin(engine, narrow)
    until(harness, second, "a", ReasonKind.CONCURRENCY)
    world.go["a"].set()
    second.wait(PATIENCE)
    positions = {type(one.event).__name__: one.position for one in second.history()}

    told = second.explain("a", at=positions["TaskStarted"])

    assert told.log_only
    assert "what concurrency and rate limits had in use" in told.unrecorded
    assert first(told, ReasonKind.UNRECORDED).steps == ("a",)


@forces(ReasonKind.RATE_LIMIT)
def test_a_rate_says_when_there_is_room_again(harness: EngineHarness) -> None:
    engine = harness.open(paced)
    _, one = begin(engine, paced)
    one.wait(PATIENCE)
    _, task = begin(engine, paced)
    told = until(harness, task, "a", ReasonKind.RATE_LIMIT)

    reason = first(told, ReasonKind.RATE_LIMIT)
    due = "select until from flowledger.waiting_step where task_id = %s"
    assert reason.earliest == harness.value(due, task.id)
    assert reason.about == "step:shop/paced/a"


@forces(ReasonKind.CIRCUIT_OPEN)
def test_an_open_circuit_says_what_opened_it_and_until_when(harness: EngineHarness) -> None:
    limits = {"circuit_failure_threshold": 1, "circuit_categories": ("unknown",)}
    engine = harness.open(banked, limits=limits)
    _, task = begin(engine, banked, fails="a")
    told = until(harness, task, "a", ReasonKind.CIRCUIT_OPEN)

    reason = first(told, ReasonKind.CIRCUIT_OPEN)
    opened = harness.value("select open_until from flowledger.circuit where system = 'bank'")
    assert (reason.about, reason.earliest) == ("bank", opened)
    assert reason.cause is not None
    position = harness.value(
        "select notification_id from flowledger.event where originator_id = %s", circuit_id("bank")
    )
    assert (reason.cause.position, reason.cause.topic) == (position, "circuit.opened")
    earlier = task.explain(
        "a", at=harness.value("select max(notification_id) from flowledger.event")
    )
    assert ReasonKind.RETRY in earlier.kinds


@forces(ReasonKind.ROW_MISSING)
def test_a_ready_step_whose_row_is_lost_says_so_and_what_makes_it_anew(
    harness: EngineHarness,
) -> None:
    with ExitStack() as opened:
        stage, _ = stage_of(harness, opened, narrow)
        _, task = begin(stage.client, narrow)
        stage.settle()
        assert ReasonKind.ROW_MISSING not in task.explain().kinds
        harness.rows("delete from flowledger.waiting_step where task_id = %s", task.id)

        reason = first(task.explain("a"), ReasonKind.ROW_MISSING)

        assert "its row in flowledger.waiting_step is missing" in reason.sentence
        assert reason.command == f"flowledger repair {task.id} --reason WHY"
        assert reason.earliest is None
        (repaired,) = stage.client.repair(task.id, **WHY).repaired
        assert repaired.place == "flowledger.waiting_step"
        assert task.explain("a").kinds == (ReasonKind.CONCURRENCY,)


@forces(ReasonKind.NO_WORKER)
def test_a_queued_step_says_that_no_worker_of_its_template_runs(harness: EngineHarness) -> None:
    engine = harness.open(chain, roles=("coordinator",))
    _, task = begin(engine, chain)
    told = until(harness, task, "a", ReasonKind.NO_WORKER)
    assert "no worker of shop/order@1 runs" in first(told, ReasonKind.NO_WORKER).sentence
    harness.open(narrow, roles=("worker",))
    harness.until(lambda: "of other templates" in task.explain("a")[0].sentence)

    reason = first(task.explain("a"), ReasonKind.NO_WORKER)

    assert reason.sentence.endswith(
        "no worker of shop/order@1 runs; 1 worker of other templates runs"
    )
    assert topic_of(task, reason) == "step.enqueued"


@forces(ReasonKind.WORKER_BUSY)
def test_a_queued_step_says_that_all_workers_are_busy(harness: EngineHarness) -> None:
    engine = harness.open(chain, worker={"concurrency": 1})
    world, _ = begin(engine, chain, waits="a")
    assert world.started["a"].wait(PATIENCE)
    _, second = begin(engine, chain)
    until(harness, second, "a", ReasonKind.WORKER_BUSY)
    _, third = begin(engine, chain)
    told = until(harness, third, "a", ReasonKind.WORKER_BUSY)

    reason = first(told, ReasonKind.WORKER_BUSY)
    (worker,) = reason.details["workers"]  # type: ignore[misc]
    assert (worker["concurrency"], worker["running"]) == (1, 1)
    assert reason.details["before"] == 1
    assert "has its one place taken; 1 step comes first" in reason.sentence
    world.go["a"].set()


@forces(ReasonKind.QUEUED)
def test_a_queued_step_that_a_worker_comes_to_says_how_many_come_before_it(
    harness: EngineHarness,
) -> None:
    with ExitStack() as opened:
        stage, one = stage_of(harness, opened, chain)
        _, two = begin(stage.client, chain)
        stage.settle()

        assert first(one.explain("a"), ReasonKind.QUEUED).details["before"] == 0
        reason = first(two.explain("a"), ReasonKind.QUEUED)
        assert reason.details["before"] == 1
        assert reason.sentence.endswith("1 step comes before it")


@forces(ReasonKind.LEASE_LOST)
def test_a_running_step_whose_worker_went_silent_says_that_it_is_lost(
    harness: EngineHarness,
) -> None:
    with ExitStack() as opened:
        stage, task = stage_of(harness, opened, chain)
        stage.worker.exchange(limit=1)
        assert first(task.explain("a"), ReasonKind.RUNNING).about == str(stage.worker.identity)
        stage.silence()

        reason = first(task.explain("a"), ReasonKind.LEASE_LOST)
        assert "whose lease has run out; a coordinator takes the step back" in reason.sentence
        assert topic_of(task, reason) == "step.started"
        assert found(task.explain(), ReasonKind.LEASE_LOST).steps == ("a",)


@forces(ReasonKind.COORDINATOR_BEHIND)
def test_an_event_that_the_coordinator_has_not_read_holds_what_follows(
    harness: EngineHarness,
) -> None:
    with ExitStack() as opened:
        stage, task = stage_of(harness, opened, chain)
        worker: ManualWorker = stage.worker
        (claim,) = worker.exchange(limit=1).claims
        assert ReasonKind.COORDINATOR_BEHIND not in task.explain().kinds, "a start asks for nothing"
        worker.exchange([worker.fact(StepCompleted, claim, result=1)])

        reason = first(task.explain("b"), ReasonKind.COORDINATOR_BEHIND)
        assert topic_of(task, reason) == "step.completed"
        assert reason.details["position"] < reason.details["needed"]  # type: ignore[operator]
        said = [one.sentence for one in task.explain()]
        assert "1 event waits for a coordinator to read it" in said
        stage.settle()
        assert task.explain("b").kinds == (ReasonKind.QUEUED,)


@forces(ReasonKind.DEPENDENCY_FAILED, ReasonKind.BLOCKED, ReasonKind.ENDED)
def test_a_blocked_task_says_what_failed_and_what_can_never_start(harness: EngineHarness) -> None:
    _, task = begin(harness.open(blocking), blocking, fails="a")
    harness.until(lambda: task.state is TaskState.BLOCKED)

    reason = first(told := task.explain("b"), ReasonKind.DEPENDENCY_FAILED)
    assert reason.sentence.startswith("does not start, since a is in error; an operator resets")
    assert topic_of(task, reason) == "step.failed"
    assert topic_of(task, found(told, ReasonKind.BLOCKED)) == "task.blocked"
    whole = task.explain()
    assert whole.kinds == (ReasonKind.DEPENDENCY_FAILED, ReasonKind.BLOCKED)
    assert found(whole, ReasonKind.BLOCKED).details["failed_steps"] == ["a"]
    ended = first(task.explain("a"), ReasonKind.ENDED)
    assert ended.details["reason"] == "exhausted"


@forces(ReasonKind.ENDED)
def test_an_ended_task_says_how_it_ended(harness: EngineHarness) -> None:
    engine = harness.open(chain, bare)
    _, task = begin(engine, chain)
    _, failed = begin(engine, bare)
    assert (task.wait(PATIENCE), failed.wait(PATIENCE)) == (TaskState.COMPLETE, TaskState.ERROR)

    reason = first(task.explain(), ReasonKind.ENDED)
    assert topic_of(task, reason) == "task.completed"
    assert "complete" in reason.sentence
    assert task.explain("b")[0].sentence == "done, at attempt 1"
    error = first(failed.explain(), ReasonKind.ENDED)
    assert error.sentence.startswith("failed, as these ended in error: a")
    assert error.sentence.endswith(f"; a: {failed.explain('a')[0].sentence}")
    assert error.details["errors"] == {"a": failed.explain("a")[0].details["message"]}


@forces(ReasonKind.PROJECTION_BEHIND)
def test_a_projection_that_is_behind_is_named(harness: EngineHarness) -> None:
    engine = harness.open(chain, roles=("coordinator", "worker", "projector"), projections=[Seen])
    _, one = begin(engine, chain)
    one.wait(PATIENCE)
    engine.projections.wait_for("seen", one.history()[-1].position, PATIENCE)
    assert one.explain().kinds == (ReasonKind.ENDED,)
    engine.projections.pause("seen", actor="ann", reason="a test")
    _, two = begin(engine, chain)
    two.wait(PATIENCE)

    reason = found(two.explain(), ReasonKind.PROJECTION_BEHIND)

    assert reason.about == "seen"
    assert reason.sentence.endswith("paused, until `flowledger projections resume`")
    assert reason.details["needed"] == two.history()[-1].position


@forces(ReasonKind.PARKED)
def test_an_event_that_cannot_be_read_comes_first(harness: EngineHarness) -> None:
    task, position = with_an_unreadable_event(harness)
    said = f"position {position}: unreadable: unknown topic 'step.vanished'"
    assert first(task.explain("a"), ReasonKind.PARKED).sentence == said


@forces(ReasonKind.PARKED)
def test_a_parked_task_names_the_command(harness: EngineHarness) -> None:
    task = begin(harness.open(chain, roles=()), chain)[1]
    harness.rows("insert into flowledger.parked_task values (%s, 'x', now(), now())", task.id)
    assert "parked retry" in str(first(task.explain(), ReasonKind.PARKED).command)


def test_every_kind_of_reason_is_forced() -> None:
    assert forced == set(ReasonKind)
