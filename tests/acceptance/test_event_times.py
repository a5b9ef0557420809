"""When things happened: never before what they follow, nor before what led to them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowledger.engine.errors import NothingRecorded
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted
from flowledger.handlers import Workflow
from flowledger.projections.builtin.history import History
from support.builders import error
from support.engines import PATIENCE, EngineHarness
from support.manual_coordinator import ManualCoordinator

TASKS = 700
# The database's clock is asked often, while much is under way.
HURRIED = {"concurrency": 8, "lease_seconds": 1.0, "lease_margin_seconds": 0.2}
TIME_OF = "('x' || encode(substr({0}.state, 18, 8), 'hex'))::bit(64)::bigint"
ID_OF = "substr({0}.state, 2, 16)"
CAUSE_OF = "case when get_byte({0}.state, 0) in (2, 4, 6) then substr({0}.state, 26, 16) end"
EVENTS = f"""
    with event as materialized (
        select
            e.originator_id as stream, e.originator_version as version, e.topic, e.task_id,
            {TIME_OF.format("e")} as time, {ID_OF.format("e")} as id,
            {CAUSE_OF.format("e")} as cause
        from flowledger.event as e
    )
"""  # noqa: S608 - of our own words
BEFORE_THE_PREVIOUS = f"""
    {EVENTS}
    select e.topic, p.topic, p.time - e.time
    from event as e
    join event as p on p.stream = e.stream and p.version = e.version - 1
    where e.time < p.time
"""  # noqa: S608 - of our own words
BEFORE_THE_CAUSE = f"""
    {EVENTS}
    select e.topic, c.topic, c.time - e.time
    from event as e
    join event as c on c.id = e.cause
    where e.time < c.time
"""  # noqa: S608 - of our own words
BEFORE_THE_TASK = f"""
    {EVENTS}
    select e.topic, c.topic, c.time - e.time
    from event as e
    join event as c on c.stream = e.task_id and c.version = 1
    where e.time < c.time
"""  # noqa: S608 - of our own words

TOPICS = "select topic from flowledger.event order by notification_id"

PROGRAM = """
import sys
from timed_flow import flow, settings
from flowledger.engine import Engine

with Engine.open(workflows=[flow], roles=["worker"], settings=settings):
    print("ready", flush=True)
    sys.stdin.read()
"""
MODULE = """
from typing import Any
from flowledger.engine import Settings
from flowledger.handlers import Workflow

settings = Settings.load(**{settings})
flow = Workflow("times", "chain", version="1")

@flow.step
def first(context: dict[str, Any]) -> int:
    return context["number"]

@flow.step(after=[first])
async def second(first: int) -> int:
    return first + 1

@flow.step(after=[second])
def third(second: int) -> int:
    return second + 1
"""


@pytest.fixture
def flow(harness: EngineHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A chain of three steps, which processes can import."""
    settings = {
        "database": {"url": harness.url, "pool_max_size": 4},
        "worker": HURRIED,
        "projections": {"builtin": False},
    }
    (tmp_path / "timed_flow.py").write_text(MODULE.replace("{settings}", repr(settings)))
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(tmp_path))
    from timed_flow import flow  # noqa: PLC0415 - written just now

    return flow


def test_nothing_happened_before_what_it_follows_or_what_led_to_it(
    harness: EngineHarness, flow: Any, tmp_path: Path
) -> None:
    engine = harness.open(flow, worker=HURRIED, coordinator={"poll_seconds": 0.05})
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(tmp_path / "program.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        tasks = engine.submit_many(flow, [{"number": number} for number in range(TASKS)])
        for task in tasks:
            task.wait(PATIENCE)
        other.communicate()

    assert harness.value(
        "select count(*) from flowledger.event where topic = 'step.completed'"
    ) == (3 * TASKS)
    assert (
        harness.value(
            "select count(distinct flowledger.payload_json(state, encoding) ->> 'worker')"
            " from flowledger.event where topic = 'step.started'"
        )
        == 2
    )
    assert harness.rows(BEFORE_THE_PREVIOUS) == []
    assert harness.rows(BEFORE_THE_CAUSE) == []
    assert harness.rows(BEFORE_THE_TASK) == []


@pytest.mark.parametrize("worker_ahead", [-1, 0, 1])
@pytest.mark.parametrize("coordinator_ahead", [-1, 0, 1])
def test_nor_where_the_clocks_of_processes_differ_by_what_no_answer_tells(
    harness: EngineHarness, coordinator_ahead: int, worker_ahead: int
) -> None:
    pair = Workflow("times", "pair", version="1")

    @pair.step
    def first(context: dict[str, Any]) -> int:
        return context["number"]

    @pair.step(after=[first])
    def second(first: int) -> int:
        return first

    with ExitStack() as opened:
        stage = ManualCoordinator(harness, opened, pair)
        task = stage.client.submit(pair, {"number": 1})
        stage.settle()
        for clock, ahead in ((stage.clock, coordinator_ahead), (stage.worker.clock, worker_ahead)):
            clock.observe(harness.value("select flowledger.clock()") + timedelta(seconds=ahead))
        for fails in (True, False):
            (claim,) = stage.worker.exchange(limit=1).claims
            if fails:
                fact = stage.worker.fact(StepAttemptFailed, claim, error=error())
            else:
                fact = stage.worker.fact(StepCompleted, claim, result=1)
            stage.worker.exchange([fact])
            stage.settle()
            harness.move_clock("1 minute")
            stage.settle()
            stage.clock.observe(stage.clock.now() + timedelta(seconds=coordinator_ahead))
            stage.settle()
        task.cancel(actor="ann", reason="seen enough", timeout=0)
        stage.settle()

    assert "step.retry_scheduled" in [topic for (topic,) in harness.rows(TOPICS)]
    assert harness.rows(BEFORE_THE_PREVIOUS) == []
    assert harness.rows(BEFORE_THE_CAUSE) == []
    assert harness.rows(BEFORE_THE_TASK) == []


def test_nothing_is_told_of_a_task_before_it_was_submitted(
    harness: EngineHarness, flow: Any
) -> None:
    engine = harness.open(flow)
    task = engine.submit(flow, {"number": 1})
    task.wait(PATIENCE)
    created = task.history()[0].event.occurred_at

    with pytest.raises(NothingRecorded):
        task.explain(at=created - timedelta(microseconds=1))

    assert task.explain(at=created)


def test_no_attempt_was_queued_or_ran_for_less_than_no_time(harness: EngineHarness) -> None:
    chain = Workflow("times", "timeline", version="1")

    @chain.step
    def only(context: dict[str, Any]) -> int:
        return context["number"]

    engine = harness.open(chain, projections=[History])
    tasks = engine.submit_many(chain, [{"number": number} for number in range(100)])
    for task in tasks:
        task.wait(PATIENCE)
    engine.projections.wait_for("flowledger_history", timeout=PATIENCE)

    least = harness.rows(
        "select min(s.queue_seconds), min(s.run_seconds), min(s.offset_seconds), count(*)"
        " from flowledger_v1.tasks as t, flowledger_v1.timeline(t.task_id) as s"
    )[0]
    assert least[3] == 100
    assert all(seconds >= 0 for seconds in least[:3])
