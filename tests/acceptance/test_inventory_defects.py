"""Defects of the system that this one re-creates: each that can exist here is shown not to.

The numbers are those of the list that they were collected in.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, cast

import psycopg
import pytest

from flowledger.engine import (
    Engine,
    MissingIdempotencyKey,
    StepState,
    TaskHandle,
    TaskNotCompleted,
    TaskState,
)
from flowledger.engine import events as asked
from flowledger.engine import events as happened
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.domain.argument_checks import identity_of
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.execution_status_from_counts import (
    ExecutionStatus,
    HealthStatus,
    RecommendedAction,
    counts_of,
    summary_of,
)
from flowledger.engine.domain.machine.task_run import fold_run
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.handlers import load_template
from support.builders import step
from support.controlled_steps import begin, controlled_steps, stored_together
from support.engines import PATIENCE, EngineHarness, kinds, of_kind
from support.sql_calls import Row as Event
from support.sql_calls import append, call, new_id, queue, queue_row, renew

ACT = {"handler": {"callable": "act"}}
TWICE = {**ACT, "retry": {"max_attempts": 2, "backoff": "none"}}
FIVE = {**ACT, "retry": {"max_attempts": 5, "backoff": "none", "categories": ["network"]}}
WORD: RequestOptions = {"reason": "ticket 7", "actor": "ada"}

line = controlled_steps(
    step("a", **TWICE), step("b", "a", **TWICE), step("c", "b", **TWICE), name="line"
)
wide = controlled_steps(step("a", **TWICE), step("b", **TWICE), step("c", **TWICE), name="wide")
picky = controlled_steps(step("a", **FIVE), step("b", **ACT), name="picky")
never = controlled_steps(
    step("a", **{**ACT, "retry": {"max_attempts": 0}}), step("b", **ACT), name="never"
)
skips = controlled_steps(
    step("a", **TWICE), step("b", "a", **TWICE), step("c", "b", **TWICE), name="skips"
)
stops = controlled_steps(
    step("a", when_skipped="stop", **TWICE), step("b", "a", **TWICE), name="stops"
)


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(line, wide, picky, never, skips, stops)


def summary(task: TaskHandle, flow: Any) -> Any:
    """The three words about a task, from its log."""
    events = [recorded.event for recorded in task.history()]
    return summary_of(counts_of(fold_run(cast("Any", events), compile_plan(flow.template))))


def test_1_a_reset_gives_a_step_all_its_attempts_again(engine: Engine) -> None:
    world, task = begin(engine, line, fails="b")
    assert task.wait(PATIENCE) is TaskState.ERROR
    assert task.step("b").status.attempts == 2

    task.step("b").reset(**WORD)
    assert task.wait(PATIENCE) is TaskState.ERROR

    attempts = [call.attempt for call in world.calls if call.step == "b"]
    assert attempts == [1, 2, 1, 2]
    errored = of_kind(task.history(), happened.StepFailed)
    assert [event.message.split(":")[0] for event in errored] == ["failed 2 of 2 times"] * 2


def test_2_who_asked_and_why_are_stored_with_the_request_and_with_what_followed(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    _, task = begin(engine, line, fails="a")
    task.wait(PATIENCE)

    task.step("a").resolve(reason="paid in cash", actor="ada")

    for topic in ("step.resolve_requested", "step.resolved_manually"):
        state = shared_harness.value(
            "select data from flowledger_v1.events where task_id = %s and type = %s",
            *(task.id, topic),
        )
        assert (state["actor"], state["reason"]) == ("ada", "paid in cash")


def test_3_a_task_in_error_can_be_reset_and_resolved(engine: Engine) -> None:
    world, first = begin(engine, line, fails="a")
    _, second = begin(engine, line, fails="a")
    assert [task.wait(PATIENCE) for task in (first, second)] == [TaskState.ERROR] * 2
    world.fails.clear()

    first.reset(**WORD)
    second.resolve(**WORD)

    assert first.wait(PATIENCE) is TaskState.COMPLETE
    assert second.state is TaskState.RESOLVED_MANUALLY
    for event in (happened.TaskReopened, happened.StepReset):
        assert [one.actor for one in of_kind(first.history(), event)] == ["ada"]


def test_4_a_step_looked_at_alone_stands_where_it_stands_among_the_others(engine: Engine) -> None:
    world, task = begin(engine, line, waits="b")
    assert world.started["b"].wait(PATIENCE)

    steps = task.steps()

    assert {name: task.step(name).status for name in steps} == steps
    assert steps["a"].state is StepState.COMPLETE
    assert steps["b"].state in {StepState.ENQUEUED, StepState.IN_PROGRESS}
    world.go["b"].set()
    task.result(PATIENCE)


def test_7_a_task_with_a_cancelled_step_ends_when_the_rest_is_complete(engine: Engine) -> None:
    world, task = begin(engine, wide, waits="ab")
    assert world.started["a"].wait(PATIENCE)
    assert world.started["b"].wait(PATIENCE)
    task.step("b").cancel(**WORD)
    world.fails.add("b")
    for name in "ab":
        world.go[name].set()

    assert task.wait(PATIENCE) is TaskState.CANCELLED
    assert task.step("b").status.state is StepState.CANCELLED
    assert summary(task, wide).execution_status is ExecutionStatus.ALL_COMPLETE


def test_8_a_permanent_error_with_attempts_left_ends_the_step_and_the_task(engine: Engine) -> None:
    world, task = begin(engine, picky, fails="a")

    assert task.wait(PATIENCE) is TaskState.ERROR

    assert sorted(world.ran) == ["a", "b"]
    (errored,) = of_kind(task.history(), happened.StepFailed)
    assert errored.reason == "permanent"
    words = summary(task, picky)
    assert words.execution_status is ExecutionStatus.BLOCKED_BY_FAILURES
    assert words.health_status is HealthStatus.BLOCKED


def test_9_a_step_that_may_be_attempted_0_times_is_never_attempted(engine: Engine) -> None:
    world, task = begin(engine, never)

    with pytest.raises(TaskNotCompleted, match="the policy allows no attempt"):
        task.result(PATIENCE)

    assert world.ran == ["b"]
    assert kinds(task.history(), "a") == ["StepFailed"]


def test_10_a_skip_is_consulted_before_anything_of_it_is_executed(engine: Engine) -> None:
    world, task = begin(engine, skips, waits="a")
    assert world.started["a"].wait(PATIENCE)
    task.step("b").skip(**WORD)
    world.go["a"].set()
    assert task.result(PATIENCE) == {"a": "a 1", "c": "c 1"}
    assert world.ran == ["a", "c"]

    world, task = begin(engine, stops, fails="a")
    assert task.wait(PATIENCE) is TaskState.ERROR
    task.step("a").skip(**WORD)
    assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert set(world.ran) == {"a"}


def test_11_an_identity_is_the_same_in_every_process_and_long_enough(
    shared_harness: EngineHarness,
) -> None:
    code = (
        "from flowledger.engine.domain.argument_checks import identity_of\n"
        "from flowledger.engine.domain.templates.template import StepTemplate, Template\n"
        "step = StepTemplate.model_validate({'name': 'a'})\n"
        "names = {'namespace': 'shop', 'name': 'once', 'version': '1'}\n"
        "once = Template(**names, identity='strict', steps=(step,))\n"
        "print(identity_of(once, {'b': 1, 'a': 'ä'}, None))\n"
    )
    told = [
        subprocess.run(  # noqa: S603 - the code above
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]

    once = controlled_steps(step("a", **ACT), name="once", identity="strict").template
    assert told == [identity_of(once, {"a": "ä", "b": 1}, None)] * 2
    assert told[0] == (
        "strict:sha256:083a16b00936590be2ab0c50f8f0559d64a58d6cb16527177d6e85218b86be76"
    )


def test_12_a_cancel_is_one_transaction(engine: Engine, shared_harness: EngineHarness) -> None:
    world, task = begin(engine, wide, waits="abc")
    for name in "abc":
        assert world.started[name].wait(PATIENCE)

    task.cancel(**WORD)

    cancelled = stored_together(shared_harness.rows, task.id)[-1]
    assert cancelled == [
        "task.cancelled",
        *["step.cancel_signalled"] * 3,
        "request.granted",
    ]
    transactions = shared_harness.value(
        "select count(distinct t) from ("
        " select xmin::text as t from flowledger.task where task_id = %s union all"
        " select xmin::text from flowledger.event where task_id = %s and topic = 'task.cancelled'"
        ") as stored",
        *(task.id, task.id),
    )
    assert transactions == 1
    for name in "abc":
        world.go[name].set()


def test_12_a_cancel_takes_what_is_queued_with_it(harness: EngineHarness) -> None:
    engine = harness.open(wide, roles=("coordinator",))
    _, task = begin(engine, wide)
    harness.until(lambda: len(task.history()) == 5)

    task.cancel(**WORD)

    assert stored_together(harness.rows, task.id)[-1] == [
        *("task.cancelled", "step.cancelled", "step.cancelled", "step.cancelled"),
        "request.granted",
    ]
    assert harness.counts()["queue"] == 0
    assert {status.state for status in task.steps().values()} == {StepState.CANCELLED}


def test_13_of_two_writers_of_one_version_one_is_refused(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    stream, together = new_id(), Barrier(8)
    append(connection, Event(stream, 1))

    def write(number: int) -> bool:
        with psycopg.connect(database, autocommit=True) as own:
            together.wait(PATIENCE)
            try:
                append(own, Event(stream, 2, state=b"%d" % number))
            except psycopg.errors.UniqueViolation:
                return False
            return True

    with ThreadPoolExecutor(8) as writers:
        assert sorted(writers.map(write, range(8))) == [False] * 7 + [True]


def test_17_the_status_and_the_action_of_a_task_are_words_of_their_own(engine: Engine) -> None:
    world, task = begin(engine, wide, waits="a")
    assert world.started["a"].wait(PATIENCE)
    assert summary(task, wide).execution_status is ExecutionStatus.PROCESSING
    assert summary(task, wide).recommended_action is RecommendedAction.WAIT_FOR_COMPLETION
    world.go["a"].set()
    task.result(PATIENCE)

    words = summary(task, wide)

    assert words.execution_status is ExecutionStatus.ALL_COMPLETE
    assert words.recommended_action is RecommendedAction.FINALIZE_TASK
    assert not {*ExecutionStatus} & {*RecommendedAction}


def test_19_two_workers_that_claim_at_once_never_get_the_same_step(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    template, task, workers = new_id(), new_id(), [new_id(), new_id()]
    names = [str(number) for number in range(20)]
    queue(connection, *(queue_row(task, template, name) for name in names))
    for worker in workers:
        renew(connection, worker, 60)

    claimed: list[list[Any]] = []
    transactions = [psycopg.connect(database) for _ in workers]
    for open_transaction, worker in zip(transactions, workers, strict=True):
        rows = call(open_transaction, "claim_steps", worker, [template], 10)
        claimed.append([row[0] for row in rows])
    for open_transaction in transactions:
        open_transaction.commit()
        open_transaction.close()

    assert [len(steps) for steps in claimed] == [10, 10]
    assert {*claimed[0], *claimed[1]} == {step_id(task, name) for name in names}


def test_20_the_identity_that_a_template_file_declares_is_the_tasks(
    harness: EngineHarness, tmp_path: Any
) -> None:
    path = tmp_path / "once.yaml"
    path.write_text(
        "namespace: shop\nname: once\nversion: '1'\nidentity: caller_provided\n"
        "steps:\n- name: a\n  handler: {callable: act}\n"
    )
    template = load_template(path)
    assert template.identity == "caller_provided"
    flow = controlled_steps(*template.steps, name="once", identity=template.identity)
    assert flow.template.definition_hash == template.definition_hash
    engine = harness.open(flow)

    with pytest.raises(MissingIdempotencyKey):
        begin(engine, flow)
    _, first = begin(engine, flow, idempotency_key="k")
    _, again = begin(engine, flow, idempotency_key="k")

    assert first.id == again.id
    stored = harness.value("select definition->>'identity' from flowledger.template")
    assert stored == "caller_provided"
    assert len(of_kind(first.history(), asked.TaskRequest)) == 0
