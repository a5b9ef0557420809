"""Processes killed and answers lost around the commit of a transactional step: rows once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg
import pytest
from psycopg import Cursor

from flowledger.engine import TaskState
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, SHORT_LEASES, EngineHarness, completions, kinds

TASKS = 10

PROGRAM = """
import os
import signal
import sys
from threading import Lock

from killed_transactions import flow, settings
from flowledger.engine.bootstrap import open_engine

lock, visits = Lock(), 0


class Kill:
    def reached(self, point):
        global visits
        if point != sys.argv[1]:
            return
        with lock:
            visits += 1
            if visits == 3:
                os.kill(os.getpid(), signal.SIGKILL)


with open_engine([flow], ["worker"], settings, Kill()):
    sys.stdin.read()
"""

MODULE = """
from psycopg import Cursor
from flowledger.engine import Settings
from flowledger.handlers import StepContext, Workflow

settings = Settings.load(**{settings})
flow = Workflow("kills", "transactional", version="1")


@flow.step(transactional=True)
def writes(context: dict[str, int], cursor: Cursor, step: StepContext) -> int:
    cursor.execute("insert into written values (%s, %s)", (context["number"], step.attempt))
    return step.attempt
"""

COUNTS = "select number, count(*) from written group by number order by number"
ONCE_EACH = [(number, 1) for number in range(TASKS)]
CUT = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and state = 'idle in transaction'"
)

flow = Workflow("kills", "cut", version="1")
patient = Workflow("kills", "patient", version="1")


@patient.step(
    name="writes_again", transactional=True, retry=Retry(max_attempts=2 * TASKS, backoff="none")
)
@flow.step(transactional=True, retry=Retry(max_attempts=1))
def writes(context: dict[str, int], cursor: Cursor, step: StepContext) -> int:
    cursor.execute("insert into written values (%s, %s)", (context["number"], step.attempt))
    return step.attempt


@pytest.fixture
def lab_with_table(harness: EngineHarness) -> EngineHarness:
    harness.rows("create table written (number int, attempt int)")
    return harness


@pytest.mark.parametrize("point", ["completing", "completed"])
def test_a_process_that_is_killed_around_the_commit_leaves_every_row_once(
    lab_with_table: EngineHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    harness = lab_with_table
    sections = {**SHORT_LEASES, "database": {"url": harness.url, "pool_max_size": 4}}
    sections["worker"] = {**SHORT_LEASES["worker"], "transactional_connections": 1}
    (tmp_path / "killed_transactions.py").write_text(MODULE.replace("{settings}", repr(sections)))
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("killed_transactions", None)
    from killed_transactions import flow  # type: ignore[import-not-found]  # noqa: PLC0415

    client = harness.open(flow, roles=["coordinator"], **SHORT_LEASES)
    tasks = client.submit_many(flow, [{"number": number} for number in range(TASKS)])

    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(tmp_path / "program.py"), point],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    ) as killed:
        assert killed.wait(PATIENCE) == -signal.SIGKILL
    stored = len(completions(harness))
    assert stored >= (2 if point == "completing" else 3)
    harness.open(flow, roles=["worker"], **SHORT_LEASES)

    for task in tasks:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert harness.rows(COUNTS) == ONCE_EACH
    assert set(completions(harness).values()) == {1}
    assert all(
        attempt == task.result()["writes"]
        for number, task in enumerate(tasks)
        for (attempt,) in harness.rows("select attempt from written where number = %s", number)
    )


class CutAt:
    """Does something at every second visit of a point."""

    def __init__(self, point: str, cut: Callable[[], Any]) -> None:
        self._point = point
        self._cut = cut
        self._lock = Lock()
        self.visits = 0

    def reached(self, point: str) -> None:
        if point == self._point:
            with self._lock:
                self.visits += 1
                if self.visits % 2:
                    self._cut()


def test_a_connection_cut_before_the_commit_is_a_failed_attempt(
    lab_with_table: EngineHarness,
) -> None:
    harness = lab_with_table

    def cut() -> None:
        with psycopg.connect(harness.url, autocommit=True) as other:
            other.execute(CUT)

    faults = CutAt("completing", cut)
    engine = harness.open(patient, faults=faults, worker={"transactional_connections": 1})

    tasks = engine.submit_many(patient, [{"number": number} for number in range(TASKS)])

    for task in tasks:
        assert task.wait(PATIENCE) is TaskState.COMPLETE
    assert harness.rows(COUNTS) == ONCE_EACH
    assert set(completions(harness).values()) == {1}
    named = [name for task in tasks for name in kinds(task.history(), "writes_again")]
    assert named.count("StepAttemptFailed") >= TASKS / 2
    assert "StepReleased" not in named


def test_a_commit_whose_answer_is_lost_is_found_in_the_log(
    lab_with_table: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is handed back, which the log would refuse, and nobody is told of a lost step."""
    harness = lab_with_table

    def cut() -> None:
        raise psycopg.OperationalError("the answer to the commit was lost")

    faults = CutAt("completed", cut)
    engine = harness.open(flow, faults=faults)

    tasks = engine.submit_many(flow, [{"number": number} for number in range(TASKS)])

    for task in tasks:
        assert task.result(PATIENCE) == {"writes": 1}
    harness.until(lambda: faults.visits == TASKS)
    assert "worker.step_lost" not in caplog.text
    assert harness.rows(COUNTS) == ONCE_EACH
