"""Why no worker takes a step, told of workers that run and could."""

from __future__ import annotations

from os import getpid
from socket import gethostname

from flowledger.engine.domain.explain.reasons import ReasonKind
from flowledger.handlers import Workflow
from support.controlled_steps import begin
from support.engines import PATIENCE, EngineHarness
from support.explain_workflows import chain, first, until

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
