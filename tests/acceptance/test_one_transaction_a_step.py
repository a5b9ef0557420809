"""Where all roles are in one process, a step of a chain takes one transaction."""

from __future__ import annotations

from typing import Any

from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

STEPS = 12
chain = Workflow("joint", "long", version="1")
timed = Workflow("joint", "timed", version="1")
for number in range(STEPS):
    before = [f"s{number - 1}"] if number else []
    chain.step(after=before, name=f"s{number}")(lambda: None)
    timed.step(after=before, name=f"s{number}", timeout=60.0)(lambda: None)

TRANSACTIONS = """
select count(distinct xmin::text) from flowledger.event where task_id = %s
"""
TIMERS = "select count(*) from flowledger.timer"


def test_a_chain_takes_one_transaction_a_step(harness: EngineHarness) -> None:
    engine = harness.open(chain, coordinator={"poll_seconds": 600.0}, worker={"poll_seconds": 60.0})
    engine.submit(chain, {}).result(PATIENCE)  # by then somebody leads

    task = engine.submit(chain, {})
    task.result(PATIENCE)

    ((transactions,),) = harness.rows(TRANSACTIONS, task.id)
    # Its creation, its first steps' queueing and start; a round may find the coordinator at work.
    assert STEPS <= transactions <= 3 + STEPS + STEPS // 2
    assert list(engine.verify(task.id)) == []


def test_steps_that_may_time_out_leave_no_timer_behind(harness: EngineHarness) -> None:
    engine = harness.open(timed)

    tasks = [engine.submit(timed, {"n": n}) for n in range(5)]
    results: list[Any] = [task.result(PATIENCE) for task in tasks]

    assert all(len(result) == STEPS for result in results)
    assert harness.rows(TIMERS) == [(0,)]
