"""Coordinator and worker in processes of their own, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flowledger.engine import Engine, TaskState
from flowledger.handlers import Workflow
from support.diamond_module import DIAMOND
from support.engines import PATIENCE, SHORT_LEASES, EngineHarness, assert_legal_order, completions
from support.started_program import StartedProgram, start_program

TASKS = 200

PROGRAM = """
import sys
from killed_flow import flow, settings
from flowledger.engine import Engine

with Engine.open(workflows=[flow], roles=sys.argv[1:], settings=settings):
    print("ready", flush=True)
    sys.stdin.read()
"""

MODULE = """
import os
from typing import Any
from flowledger.engine import Settings
from flowledger.handlers import Workflow

settings = Settings.load(**{settings})
flow = Workflow("processes", "diamond", version="1")
"""


class Processes:
    """Processes of this test, each of which plays some roles."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder = folder
        self._opened = opened

    def start(self, *roles: str) -> StartedProgram:
        program = (str(self._folder / "program.py"), *roles)
        process = start_program(program, self._folder, os.environ, log=False)
        self._opened.callback(self._end, process)
        assert process.stdout.readline() == "ready\n"
        return process

    @staticmethod
    def kill(process: StartedProgram) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    @staticmethod
    def _end(process: StartedProgram) -> None:
        process.kill()
        process.communicate()


@pytest.fixture
def processes(harness: EngineHarness, tmp_path: Path) -> Generator[Processes]:
    sections = {**SHORT_LEASES, "database": {"url": harness.url, "pool_max_size": 4}}
    sections["worker"] = {**SHORT_LEASES["worker"], "concurrency": 8}
    (tmp_path / "killed_flow.py").write_text(MODULE.replace("{settings}", repr(sections)) + DIAMOND)
    (tmp_path / "program.py").write_text(PROGRAM)
    with ExitStack() as opened:
        yield Processes(tmp_path, opened)


@pytest.fixture
def flow(processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow[Any]:
    """The workflow that the processes run, as they have it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("killed_flow", None)
    from killed_flow import flow  # type: ignore[import-not-found]  # noqa: PLC0415

    return flow


@pytest.fixture
def client(harness: EngineHarness) -> Engine:
    return harness.open(roles=())


def until_completed(harness: EngineHarness, steps: int) -> None:
    """Until so many steps of the log are complete."""
    harness.until(lambda: len(completions(harness)) >= steps)


def assert_all_complete_once(
    harness: EngineHarness, client: Engine, flow: Any, tasks: list[Any]
) -> None:
    for number, task in enumerate(tasks):
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert task.result()["join"] == (number + 1) * (number + 2)
    for task in tasks[::20]:
        assert_legal_order(task.history(), flow.template)
    counts = completions(harness)
    assert len(counts) == TASKS * 4
    assert set(counts.values()) == {1}


def submit_all(client: Engine, flow: Any) -> list[Any]:
    return client.submit_many(flow, [{"number": number} for number in range(TASKS)])


def test_tasks_run_in_processes_of_their_own(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    processes.start("coordinator")
    processes.start("worker")
    processes.start("worker")

    assert_all_complete_once(harness, client, flow, submit_all(client, flow))


@pytest.mark.parametrize(
    "roles", [("worker",), ("coordinator",), ("coordinator", "worker")], ids="+".join
)
def test_after_a_process_is_killed_everything_completes_once(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes, roles: tuple[str, ...]
) -> None:
    others = {"coordinator", "worker"} - set(roles)
    for role in others:
        processes.start(role)
    victim = processes.start(*roles)

    tasks = submit_all(client, flow)
    until_completed(harness, 100)
    processes.kill(victim)
    assert len(completions(harness)) < TASKS * 4, "it was killed too late to tell anything"
    processes.start(*roles)

    assert_all_complete_once(harness, client, flow, tasks)


def test_a_killed_workers_steps_are_recorded_as_lost_and_given_to_another(
    harness: EngineHarness, client: Engine, flow: Any, processes: Processes
) -> None:
    """It is stopped while it holds steps: its own hands are in the queue, and nobody reports."""
    processes.start("coordinator")
    victim = processes.start("worker")
    tasks = submit_all(client, flow)
    until_completed(harness, 20)
    held = stop_while_it_holds_steps(harness, victim)
    processes.kill(victim)
    processes.start("worker")

    assert_all_complete_once(harness, client, flow, tasks)
    lost = harness.value("select count(*) from flowledger.event where topic = 'step.lease_expired'")
    assert 0 < lost <= held


def stop_while_it_holds_steps(harness: EngineHarness, worker: StartedProgram) -> int:
    """SIGSTOP until a moment at which the worker has claimed steps and not reported them."""
    query = "select count(*) from flowledger.queue where worker_id is not null"
    while True:
        worker.send_signal(signal.SIGSTOP)
        held: int = harness.value(query)
        if held:
            return held
        worker.send_signal(signal.SIGCONT)
