"""Ctrl-C: a line at once that says what is waited for, no traceback, exit code 130."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import PATIENCE, Command, command, read_until
from support.engines import EngineHarness, harness
from support.started_program import StartedProgram

__all__ = ["command", "harness"]

ROOT = Path(__file__).parents[2]
MODULE = """
from pathlib import Path
from time import sleep
from flowledger.handlers import Workflow

flow = Workflow("held", "flow", version="1")

@flow.step
def held() -> None:
    Path("entered").touch()
    while not Path("release").exists():
        sleep(0.005)
"""
AGAIN = "press Ctrl-C again to end at once"
WAITING = f"waiting for 1 step to end, at most 600 s; {AGAIN}"


@pytest.fixture(autouse=True)
def held(command: Command) -> None:
    command.write("held.py", MODULE)
    command.environment["FLOWLEDGER_WORKER__GRACE_SECONDS"] = "600"


def interrupt(process: StartedProgram) -> None:
    process.send_signal(signal.SIGINT)


def end_of(process: StartedProgram) -> str:
    """What it still wrote, without a traceback."""
    _, error = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize("role", ["start", "worker"])
def test_a_role_says_at_once_what_it_waits_for_and_ends_with_130(
    command: Command, harness: EngineHarness, role: str
) -> None:
    process = command.start(role, "held:flow")
    read_until(process, "engine.opened")
    if role == "worker":
        harness.open(roles=["coordinator"])
    command("submit", "held:flow", "--context", "{}")
    harness.until((command.folder / "entered").exists)

    interrupt(process)

    assert read_until(process, "waiting") == f"{WAITING}\n"
    assert process.poll() is None
    command.write("release", "")
    assert "engine.closed" in end_of(process)
    assert process.returncode == 130


def test_any_stop_says_in_the_log_what_it_waits_for(
    command: Command, harness: EngineHarness
) -> None:
    process = command.start("start", "held:flow")
    read_until(process, "engine.opened")
    command("submit", "held:flow", "--context", "{}")
    harness.until((command.folder / "entered").exists)

    process.terminate()

    line = json.loads(read_until(process, "worker.stopping"))
    assert (line["level"], line["steps"], line["seconds"]) == ("info", 1, 600.0)
    command.write("release", "")
    assert "engine.closed" in end_of(process)
    assert process.returncode == 0


@pytest.mark.parametrize("role", [("coordinator",), ("projector",), ("worker", "held:flow")])
def test_a_role_with_nothing_to_wait_for_says_that_it_stops(
    command: Command, role: tuple[str, ...]
) -> None:
    process = command.start(*role)
    read_until(process, "engine.opened")

    interrupt(process)

    assert read_until(process, "stopping") == f"stopping; {AGAIN}\n"
    assert "engine.closed" in end_of(process)
    assert process.returncode == 130


def test_run_says_what_it_waits_for_and_a_second_one_ends_it_at_once(
    command: Command, harness: EngineHarness
) -> None:
    process = command.start("run", "held:flow")
    harness.until((command.folder / "entered").exists)

    interrupt(process)

    assert "goes on when a worker runs its workflow" in read_until(process, "stopping")
    assert read_until(process, "waiting") == f"{WAITING}\n"
    interrupt(process)
    assert end_of(process) == ""
    assert process.returncode == -signal.SIGINT


def test_run_ends_with_130_when_what_ran_has_ended(
    command: Command, harness: EngineHarness
) -> None:
    process = command.start("run", "held:flow")
    harness.until((command.folder / "entered").exists)
    interrupt(process)
    read_until(process, "waiting")

    command.write("release", "")

    assert end_of(process) == ""
    assert process.returncode == 130


def test_the_demo_ends_with_130_and_without_a_traceback(command: Command) -> None:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(ROOT / "docs/examples/demo.py")],
        cwd=command.folder,
        env=command.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        next(line for line in process.stdout if "validate" in line and "An order" not in line)

        interrupt(process)

        assert "goes on when a worker runs its workflow" in end_of(process)
    assert process.returncode == 130


def test_a_command_that_waits_for_the_database_says_that_it_was_interrupted(
    command: Command,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        command.environment["FLOWLEDGER_DATABASE__URL"] = f"postgresql://ada@127.0.0.1:{port}/x"
        command.environment["FLOWLEDGER_DATABASE__CONNECT_TIMEOUT_SECONDS"] = "600"
        process = command.start("status", "01890000-0000-7000-8000-000000000001")
        silent.settimeout(PATIENCE)
        connection, _ = silent.accept()
        with connection:
            interrupt(process)

            assert end_of(process).strip() == "interrupted"
    assert process.returncode == 130
