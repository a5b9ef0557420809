"""The command where standard input, output or error are closed, as a service may start it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.cli import PATIENCE, PROGRAM, Command

CLOSED = {
    "input": "<&-",
    "output": ">&-",
    "error": "2>&-",
    "all": "<&- >&- 2>&-",
}


def redirected(
    command: Command, redirection: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the program under test
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, *arguments],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


WORKFLOW = """
import os
from flowledger.handlers import Workflow

w = Workflow("streams", "printing", version="1")

@w.step
def prints() -> bool:
    print("told by a handler")
    with open(os.devnull) as opened:
        return opened.fileno() > 2
"""


@pytest.mark.parametrize("closed", ["error", "all"])
def test_a_workflow_runs_and_what_can_be_printed_is(command: Command, closed: str) -> None:
    command.write("wf.py", WORKFLOW)

    done = redirected(command, CLOSED[closed], "run", "wf:w", "--json")

    assert done.returncode == 0
    assert ('"prints": true' in done.stdout) == (closed == "error")


@pytest.mark.parametrize("closed", CLOSED)
def test_a_refusal_has_its_exit_code_whatever_is_closed(command: Command, closed: str) -> None:
    refused = redirected(command, CLOSED[closed], "status", "no-id")

    assert refused.returncode == 2
    assert ("no-id" in refused.stderr) == (closed in {"input", "output"})


def test_a_worker_that_runs_while_there_is_input_ends_where_there_is_none(
    command: Command,
) -> None:
    command.write("wf.py", WORKFLOW)

    done = redirected(command, "<&-", "worker", "--while-input", "wf:w")

    assert done.returncode == 0, done.stderr


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
@pytest.mark.parametrize("asked", [["tasks", "list"], ["--version"]], ids=" ".join)
def test_output_that_cannot_be_written_is_told_with_exit_code_1(
    command: Command, asked: list[str]
) -> None:
    done = redirected(command, ">/dev/full", *asked)

    assert done.stderr == "error: standard output cannot be written: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
def test_where_errors_cannot_be_written_the_exit_code_is_still_right(command: Command) -> None:
    assert redirected(command, "2>/dev/full", "status", "no-id").returncode == 2


def test_a_working_directory_that_is_gone_is_named(command: Command) -> None:
    folder = command.folder / "gone"
    folder.mkdir()

    done = subprocess.run(  # noqa: S603 - the program under test
        ["/bin/sh", "-c", 'rmdir "$0" && exec "$@"', folder, *PROGRAM, "templates", "list"],
        cwd=folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.stderr == "error: the working directory is not there any more\n"
    assert done.returncode == 2
