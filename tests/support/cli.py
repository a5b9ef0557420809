"""The command as its users have it: a program in a process of its own, with a database."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import typed_command
from support.forked_program import forked_program
from support.started_program import StartedProgram, start_program

PATIENCE = 120
"""Seconds that a test waits at most for a program; far more than it takes."""

COMMAND = ("-m", "flowledger.engine.cli")
PROGRAM = (sys.executable, *COMMAND)


@dataclass(frozen=True)
class Finished:
    """What a program printed, and how it ended."""

    code: int
    out: str
    error: str

    @property
    def lines(self) -> list[Any]:
        """Its output, one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def value(self) -> Any:
        """Its output, which is one JSON value on one line."""
        (value,) = self.lines
        return value


class Command:
    """`flowledger` in a folder, on a database; what is still running at the end is killed."""

    def __init__(self, url: str, folder: Path, opened: ExitStack) -> None:
        self.folder = folder
        self._opened = opened
        self.environment = {**os.environ, "FLOWLEDGER_DATABASE__URL": url}

    def __call__(self, *arguments: str) -> Finished:
        """Run it to its end."""
        program = forked_program()
        if program.can_run_with(self.environment):
            asked = (*COMMAND, *arguments)
            return Finished(*program.run(asked, self.folder, self.environment, PATIENCE))
        done = subprocess.run(  # noqa: S603 - the program under test
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def other(self, *program: str) -> str:
        """Run another program to its end, which must be a good one; what it printed."""
        done = subprocess.run(  # noqa: S603 - what a page tells to run
            program,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def on_terminal(self, *arguments: str, columns: int = 80) -> list[str]:
        """The lines that it shows on a terminal of so many columns, without their colours."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        unset = {"COLUMNS", "LINES", "NO_COLOR"}
        given = {key: value for key, value in self.environment.items() if key not in unset}
        with subprocess.Popen(  # noqa: S603 - the program under test
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env={**given, "TERM": "xterm"},
            stdout=theirs,
            stderr=theirs,
        ):
            os.close(theirs)
            shown = read_all(ours)
        return re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()

    def start(self, *arguments: str) -> StartedProgram:
        """Start it; its log lines can be read from `stderr`."""
        process = start_program((*COMMAND, *arguments), self.folder, self.environment)
        process.stdin.close()
        self._opened.callback(_end, process)
        return process

    def put_on_path(self) -> None:
        """Let other programs find it as `flowledger`, and whatever is in the folder."""
        assert forked_program().can_run_with(self.environment)
        folder = self.folder / "bin"
        folder.mkdir()
        program, address = folder / "flowledger", forked_program().address
        client = f'exec "{sys.executable}" -I -S "{typed_command.__file__}" "{address}" "$@"'
        program.write_text(f"#!/bin/sh\n{client}\n", "utf-8")
        program.chmod(0o755)
        self.environment["PATH"] = f"{folder}{os.pathsep}{self.environment['PATH']}"

    def write(self, name: str, text: str) -> str:
        """A file in the folder; returns its name."""
        (self.folder / name).write_text(text, "utf-8")
        return name


def read_all(terminal: int) -> str:
    """What is shown on a terminal until the program ends."""
    found = b""
    try:
        while more := os.read(terminal, 65536):
            found += more
    except OSError:  # Linux says so when the other side is closed
        pass
    finally:
        os.close(terminal)
    return found.decode()


def read_until(process: StartedProgram, word: str) -> str:
    """The first log line with the word; fails where the program ends before."""
    for line in process.stderr:
        if word in line:
            return line
    raise AssertionError(f"{process.args} ended with {process.wait()} and never said {word!r}")


def _end(process: StartedProgram) -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def command(database: str, tmp_path: Path) -> Generator[Command]:
    """The command, on a database and in a folder that are this test's alone."""
    with ExitStack() as opened:
        yield Command(database, tmp_path, opened)
