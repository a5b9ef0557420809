"""SIGTERM: what runs is finished or handed back, in time, whatever the database does."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from support.cli import Command, command, read_until
from support.engines import PATIENCE, EngineHarness, harness_on, kinds
from support.postgres_server import PostgresServer
from support.started_program import StartedProgram

__all__ = ["command"]

GRACE, FAREWELL, SPARE = 2.0, 1.0, 5.0
"""Seconds: for handlers, for the last words, and for a busy machine."""

MODULE = """
from pathlib import Path
from time import sleep
from flowledger.handlers import Workflow

flow = Workflow("stopping", "flow", version="1")

@flow.step
def held(context: dict[str, str]) -> str:
    Path(context["name"] + ".entered").touch()
    while not Path(context["name"] + ".release").exists():
        sleep(0.005)
    return context["name"]
"""
ENTERED = "select count(*) from flowledger.event where topic = 'step.started'"
ROLES = {
    "start": ("start", "held:flow"),
    "worker": ("worker", "held:flow"),
    "coordinator": ("coordinator",),
}


class Stopping:
    """Processes of the command that hold steps until the test lets them go."""

    def __init__(self, command: Command, harness: EngineHarness) -> None:
        self.command = command
        self.harness = harness
        command.write("held.py", MODULE)
        command.environment |= {
            "FLOWLEDGER_WORKER__GRACE_SECONDS": str(GRACE),
            "FLOWLEDGER_WORKER__CONCURRENCY": "1",
            "FLOWLEDGER_DATABASE__SHUTDOWN_TIMEOUT_SECONDS": str(FAREWELL),
            "FLOWLEDGER_DATABASE__CONNECT_TIMEOUT_SECONDS": "2",
        }

    def play(self, name: str) -> StartedProgram:
        process = self.command.start(*ROLES[name])
        read_until(process, "engine.opened")
        return process

    def submit(self, name: str) -> str:
        context = f'{{"name": "{name}"}}'
        return self.command("submit", "held:flow", "--context", context).out.strip()

    def release(self, name: str) -> None:
        self.command.write(f"{name}.release", "")

    def until_entered(self, name: str) -> None:
        self.harness.until((self.command.folder / f"{name}.entered").exists)

    def history(self, task: str) -> list[str]:
        return kinds(self.harness.open(roles=()).task(task).history(), "held")


@pytest.fixture
def stopping(command: Command, harness: EngineHarness) -> Stopping:
    return Stopping(command, harness)


def ends_within(process: StartedProgram, seconds: float) -> str:
    """What it wrote until it ended, which it did in time."""
    began = monotonic()
    _, log = process.communicate(timeout=PATIENCE)
    assert monotonic() - began < seconds + SPARE, log
    return log


def test_a_step_that_ends_within_the_grace_is_recorded_and_no_other_is_claimed(
    stopping: Stopping,
) -> None:
    process = stopping.play("start")
    first = stopping.submit("first")
    stopping.until_entered("first")
    second = stopping.submit("second")
    stopping.harness.until(lambda: stopping.history(second) == ["StepEnqueued"])

    process.terminate()
    read_until(process, "worker.stopping")
    stopping.release("first")

    assert "engine.closed" in ends_within(process, GRACE + FAREWELL)
    assert process.returncode == 0
    assert stopping.history(first) == ["StepEnqueued", "StepStarted", "StepCompleted"]
    assert stopping.history(second) == ["StepEnqueued"]


def test_a_step_that_outlasts_the_grace_is_handed_back_in_time(stopping: Stopping) -> None:
    process = stopping.play("start")
    task = stopping.submit("long")
    stopping.until_entered("long")

    process.terminate()

    ends_within(process, GRACE + FAREWELL)
    assert process.returncode == 0
    # The coordinator of this process may still have queued it for the next worker.
    assert stopping.history(task)[:3] == ["StepEnqueued", "StepStarted", "StepReleased"]
    assert stopping.history(task)[3:] in ([], ["StepEnqueued"])
    assert stopping.harness.value("select count(*) from flowledger.worker") == 0


def test_a_coordinator_that_stops_has_stored_its_position_and_lets_another_lead(
    stopping: Stopping,
) -> None:
    stopping.submit("never")
    process = stopping.play("coordinator")
    stopping.harness.until(lambda: stopping.harness.value("select count(*) from flowledger.queue"))

    process.terminate()

    assert "coordinator.resigned" in ends_within(process, FAREWELL)
    assert process.returncode == 0
    ((position, leader),) = stopping.harness.rows("select position, leader from flowledger.shard")
    created = "select max(notification_id) from flowledger.event where topic = 'task.created'"
    assert (position, leader) == (stopping.harness.value(created), None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(
    stopping: Stopping, number: signal.Signals
) -> None:
    stopping.command.environment["FLOWLEDGER_WORKER__GRACE_SECONDS"] = "600"
    process = stopping.play("start")
    task = stopping.submit("long")
    stopping.until_entered("long")
    process.send_signal(number)
    stopping.submit("later")
    assert process.poll() is None

    process.send_signal(number)

    ends_within(process, 0)
    assert process.returncode == -number
    assert stopping.history(task) == ["StepEnqueued", "StepStarted"]


@pytest.fixture
def own_stopping(postgres_server: PostgresServer, tmp_path: Path) -> Generator[Stopping]:
    with ExitStack() as opened, harness_on(postgres_server.url) as harness:
        yield Stopping(Command(postgres_server.url, tmp_path, opened), harness)


@pytest.mark.parametrize("role", ROLES)
def test_while_the_database_is_away_it_ends_in_time(
    own_stopping: Stopping, postgres_server: PostgresServer, role: str
) -> None:
    process = own_stopping.play(role)
    postgres_server.crash()
    read_until(process, "database.unreachable")

    process.terminate()

    log = ends_within(process, GRACE + 2 * FAREWELL)
    assert process.returncode == 0, log
    assert "engine.closed" in log


def test_what_ended_while_the_database_was_away_is_recorded_if_it_comes_back_in_time(
    own_stopping: Stopping, postgres_server: PostgresServer
) -> None:
    own_stopping.command.environment["FLOWLEDGER_WORKER__GRACE_SECONDS"] = "30"
    process = own_stopping.play("start")
    task = own_stopping.submit("first")
    own_stopping.until_entered("first")
    postgres_server.crash()
    own_stopping.release("first")
    read_until(process, "database.unreachable")
    process.terminate()

    postgres_server.start()

    ends_within(process, 30)
    assert process.returncode == 0
    own_stopping.harness.reconnect()
    assert own_stopping.history(task) == ["StepEnqueued", "StepStarted", "StepCompleted"]


@pytest.mark.parametrize("role", ROLES)
def test_while_the_database_says_nothing_at_all_it_ends_in_time(
    own_stopping: Stopping, postgres_server: PostgresServer, role: str
) -> None:
    process = own_stopping.play(role)
    postgres_server.freeze()
    try:
        process.terminate()
        log = ends_within(process, GRACE + 3 * FAREWELL)
    finally:
        postgres_server.thaw()
    assert process.returncode == 0, log
