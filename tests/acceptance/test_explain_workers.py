"""Why no worker takes a step, told of workers that run and could."""

from __future__ import annotations

from contextlib import ExitStack
from os import getpid
from socket import gethostname

from flowledger.engine.domain.explain.reasons import ReasonKind
from flowledger.handlers import Workflow
from support.controlled_steps import begin
from support.engines import PATIENCE, EngineHarness
from support.explain_workflows import chain, first, stage_of, until

elsewhere = Workflow("bank", "loan", version="1")


@elsewhere.step
def only() -> int:
    return 1


def test_a_worker_that_has_the_code_and_is_kept_from_it_is_named(harness: EngineHarness) -> None:
    engine = harness.open(chain, roles=("coordinator",))
    _, task = begin(engine, chain)
    until(harness, task, "a", ReasonKind.NO_WORKER)
    harness.open(chain, elsewhere, roles=("worker",), worker={"namespaces": ["bank"]})
    harness.until(lambda: "has its code" in task.explain("a")[0].sentence)

    reason = first(task.explain("a"), ReasonKind.NO_WORKER)

    here = f"process {getpid()} on {gethostname()}"
    assert f"{here} has its code, and its worker.namespaces does not name 'shop'" in reason.sentence
    assert str(reason.command).startswith("FLOWLEDGER_WORKER__NAMESPACES=shop flowledger worker")
    assert engine.submit(elsewhere, {}).result(PATIENCE) == {"only": 1}


def test_one_that_is_kept_from_nothing_is_not(harness: EngineHarness) -> None:
    engine = harness.open(chain, roles=("coordinator",))
    _, task = begin(engine, chain)
    until(harness, task, "a", ReasonKind.NO_WORKER)

    harness.open(elsewhere, roles=("worker",), worker={"namespaces": ["bank"]})
    harness.until(lambda: "of other templates" in task.explain("a")[0].sentence)

    (reason,) = task.explain("a")
    assert reason.command == "flowledger worker TARGET"


def test_a_task_that_is_left_to_the_coordinator_has_no_event_yet(harness: EngineHarness) -> None:
    engine = harness.open(chain, roles=())
    with harness.connect() as connection:
        task = engine.submit(chain, {"world": "none"}, connection=connection)
        connection.commit()

    reason = first(task.explain(), ReasonKind.SUBMITTED)
    assert (reason.cause, reason.earliest) == (None, None)
    assert task.explain("a").kinds == (ReasonKind.SUBMITTED,)


def test_a_worker_that_left_with_a_step_in_hand_has_lost_it(harness: EngineHarness) -> None:
    with ExitStack() as opened:
        stage, task = stage_of(harness, opened, chain)
        stage.worker.exchange(limit=1)
        stage.worker.board.retire(stage.worker.identity)

        assert "nobody knows any more" in first(task.explain("a"), ReasonKind.LEASE_LOST).sentence


def test_a_task_that_cannot_begin_says_that_nobody_takes_what_is_queued(
    harness: EngineHarness,
) -> None:
    engine = harness.open(elsewhere, roles=["coordinator"], coordinator={"begin_ahead_steps": 2})
    tasks = engine.submit_many(elsewhere, [{}] * 3)
    harness.until(lambda: harness.value("select count(*) from flowledger.task") == 3)

    sentence = first(tasks[2].explain(), ReasonKind.NO_WORKER).sentence
    assert sentence.startswith("waits to begin for ")
    assert sentence.endswith(": no worker of bank/loan@1 takes what is queued of it")
