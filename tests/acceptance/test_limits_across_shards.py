"""Limits hold although each shard decides for itself, and although whoever holds a slot dies."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepEnqueued, StepLeaseExpired
from flowledger.handlers import Workflow
from support.engines import PATIENCE, SHORT_LEASES, EngineHarness, completions
from support.limits import last_in_use, log_of, most_in_use, slot_counts, slot_rows, waiting_steps
from support.started_program import StartedProgram, start_program

SHARDS = {"shards": 3, "poll_seconds": 0.2}

narrow = Workflow("shards", "narrow", version="1", concurrency={"limit": 2})


@narrow.step
def first() -> int:
    return 1


for number in range(3):

    @narrow.step(name=f"leaf-{number}", after=["first"])
    def leaf() -> int:
        return 1


paced = Workflow("shards", "paced", version="1", rate={"limit": 10, "per_seconds": 1.0})


@paced.step
def only() -> int:
    return 1


def one_key(_: StepEvent) -> list[str]:
    return ["template:shards/narrow"]


def test_a_limit_holds_across_shards_and_everything_completes(harness: EngineHarness) -> None:
    engine = harness.open(narrow, coordinator=SHARDS)
    tasks = engine.submit_many(narrow, [{} for _ in range(30)])

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    log = log_of(engine, [task.id for task in tasks])
    assert most_in_use(log, one_key) == {"template:shards/narrow": 2}
    assert slot_rows(harness) == slot_counts(harness) == {}
    assert waiting_steps(harness) == []


def test_a_rate_holds_across_shards(harness: EngineHarness) -> None:
    engine = harness.open(paced, coordinator=SHARDS)
    tasks = engine.submit_many(paced, [{} for _ in range(12)])

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    log = log_of(engine, [task.id for task in tasks])
    times = [event.occurred_at for event in log if isinstance(event, StepEnqueued)]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(sorted(times))]
    assert min(gaps) >= 0.09  # the clocks of two shards of one process agree to a few milliseconds
    assert waiting_steps(harness) == []


turns = Workflow("shards", "turns", version="1", concurrency={"limit": 1})
order: list[int] = []
go = Event()


@turns.step
def takes_its_turn(context: dict[str, int]) -> None:
    assert context["number"] or go.wait(PATIENCE)
    order.append(context["number"])


def test_who_has_waited_long_in_one_shard_goes_before_the_young_of_another(
    harness: EngineHarness,
) -> None:
    """The shard whose step holds the only slot has others that wait, and makes room for itself."""
    order.clear()
    engine = harness.open(turns, coordinator={"shards": 2, "poll_seconds": 0.1})
    holder = engine.submit(turns, {"number": 0})
    harness.until(lambda: slot_rows(harness).total() == 1)
    old = engine.submit_many(turns, [{"number": number} for number in range(1, 13)])
    harness.until(lambda: len(waiting_steps(harness)) == 12)
    assert {shard_of(task.id, 2) for task in old} == {0, 1}
    harness.move_clock("10 minutes")
    harness.until_coordinators_know_the_time()
    young = engine.submit_many(turns, [{"number": number} for number in range(13, 33)])
    harness.until(lambda: len(waiting_steps(harness)) == 32)
    harness.move_clock("1 second")

    go.set()

    assert {task.wait(PATIENCE) for task in (holder, *old, *young)} == {TaskState.COMPLETE}
    assert sorted(order[:13]) == list(range(13))


MODULE = """
import time
from typing import Any
from flowledger.engine import Settings
from flowledger.handlers import Workflow

settings = Settings.load(**{settings})
flow = Workflow("killed", "slots", version="1", concurrency={"limit": 3, "key": "customer"})

for number in range(3):

    @flow.step(name=f"step-{number}")
    def work() -> int:
        time.sleep(0.05)
        return 1
"""
PROGRAM = """
import sys
from slots_flow import flow, settings
from flowledger.engine import Engine

with Engine.open(workflows=[flow], roles=["worker"], settings=settings):
    print("ready", flush=True)
    sys.stdin.read()
"""


class Workers:
    """Worker processes, which are killed and replaced."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder = folder
        self._opened = opened
        self.running: list[StartedProgram] = []

    def start(self) -> None:
        program = str(self._folder / "program.py")
        process = start_program([program], self._folder, os.environ, log=False)
        self._opened.callback(process.communicate)
        self._opened.callback(process.kill)
        assert process.stdout.readline() == "ready\n"
        self.running.append(process)

    def kill(self, victim: int, harness: EngineHarness) -> None:
        """At a moment at which it holds slots that it can no longer give back itself."""
        process = self.running.pop(victim)
        holds = (
            "select count(*) from flowledger.queue as q"
            " join flowledger.worker as w on w.worker_id = q.worker_id where w.pid = %s"
        )
        while True:
            harness.until(lambda: harness.value(holds, process.pid))
            process.send_signal(signal.SIGSTOP)
            if harness.value(holds, process.pid):
                break
            process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture
def sections(harness: EngineHarness, tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {**SHORT_LEASES, "database": {"url": harness.url, "pool_max_size": 4}}
    found["worker"] = {**SHORT_LEASES["worker"], "concurrency": 4}
    found["coordinator"] = {**SHORT_LEASES["coordinator"], "max_lost_leases": 1_000}
    (tmp_path / "slots_flow.py").write_text(MODULE.replace("{settings}", repr(found)))
    (tmp_path / "program.py").write_text(PROGRAM)
    return found


@pytest.fixture
def workers(sections: dict[str, Any], tmp_path: Path) -> Generator[Workers]:
    with ExitStack() as opened:
        yield Workers(tmp_path, opened)


def test_slots_of_killed_workers_come_back_and_none_leaks(
    harness: EngineHarness,
    workers: Workers,
    sections: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("slots_flow", None)
    from slots_flow import flow  # type: ignore[import-not-found]  # noqa: PLC0415

    engine = harness.open(roles=["coordinator"], coordinator=sections["coordinator"])
    chance = random.Random(3)  # noqa: S311 - which of them dies
    for _ in range(4):
        workers.start()
    contexts = [{"customer": number % 3} for number in range(45)]
    tasks = engine.submit_many(flow, contexts)
    customers = dict(zip((task.id for task in tasks), contexts, strict=True))

    def keys(event: StepEvent) -> list[str]:
        return [f"key:killed/slots/customer={customers[event.task_id]['customer']}"]

    for killed in range(1, 4):
        harness.until(lambda: len(completions(harness)) >= 15 * killed)  # noqa: B023 - called at once
        workers.kill(chance.randrange(len(workers.running)), harness)

    assert {task.wait(PATIENCE) for task in tasks} == {TaskState.COMPLETE}
    log = log_of(engine, customers)
    assert any(isinstance(event, StepLeaseExpired) for event in log), "nobody died with a slot"
    assert set(most_in_use(log, keys).values()) == {3}
    assert last_in_use(log, keys) == slot_rows(harness) == slot_counts(harness) == {}
    assert waiting_steps(harness) == []
