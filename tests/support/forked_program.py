"""A process that has imported the command, and forks to run it: a command costs no imports.

Each run is a process of its own, as a shell starts one: with its own folder, environment, output,
signals and end. What it shares with the others is what Python had imported before it began: the
modules of all commands, and what these import first of all. That each of them can be the first to
be imported is tested elsewhere.

This file is both sides of it: `ForkedProgram` for the tests, and the program that forks.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any, NoReturn

MODULE = "flowledger.engine.cli"
READ_AT_START = ("PYTHON", "LC_", "LANG")
"""Beginnings of variables that an interpreter reads as it starts, and never again."""
LENGTH = 8


class ForkedProgram:
    """The command, started over and over by one process that has imported it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._lock = Lock()
        self._environment = dict(os.environ)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this very file
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
            )

    def close(self) -> None:
        """End the process that forks."""
        self._control.close()
        self._process.wait()

    def can_run_with(self, environment: Mapping[str, str]) -> bool:
        """Whether Python would start no differently with it than the process that forks did."""
        return read_at_start(environment) == read_at_start(self._environment)

    def run(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
    ) -> tuple[int, str, str]:
        """Run it to its end: its exit code and what it wrote, as of `subprocess.run`.

        Raises TimeoutExpired after `timeout` seconds, when it has been killed.
        """
        answers, theirs = socket.socketpair()
        with answers, TemporaryFile() as out, TemporaryFile() as error:
            with theirs:
                asked = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
                self._send(asked, [theirs.fileno(), out.fileno(), error.fileno()])
            with answers.makefile("r") as lines:
                pid = int(lines.readline())
                answers.settimeout(timeout)
                try:
                    code = int(lines.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired([MODULE, *arguments], timeout) from None
            return code, text_in(out), text_in(error)

    def _send(self, asked: Mapping[str, Any], handles: list[int]) -> None:
        said = json.dumps(asked).encode()
        with self._lock:
            socket.send_fds(self._control, [len(said).to_bytes(LENGTH)], handles)
            self._control.sendall(said)


@cache
def forked_program() -> ForkedProgram:
    """The one of this process."""
    return ForkedProgram()


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if name.startswith(READ_AT_START)}


def text_in(file: Any) -> str:
    """What was written there, its ends of lines as text has them."""
    file.seek(0)
    written: str = file.read().decode().replace("\r\n", "\n").replace("\r", "\n")
    return written


def fork_for_each(control: socket.socket) -> None:
    """Run the command for everyone who asks, until nobody can ask any more."""
    while True:
        header, handles, _, _ = socket.recv_fds(control, LENGTH, 3)
        if not header:
            return
        asked = json.loads(all_of(control, int.from_bytes(header)))
        if os.fork() == 0:
            control.close()
            watch(asked, *handles)
        for handle in handles:
            os.close(handle)
        forget_the_ended()


def all_of(control: socket.socket, length: int) -> bytes:
    said = b""
    while len(said) < length:
        said += control.recv(length - len(said))
    return said


def forget_the_ended() -> None:
    """Those who have watched to the end."""
    with suppress(ChildProcessError):  # there is nobody left
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def watch(asked: Mapping[str, Any], answers: int, out: int, error: int) -> NoReturn:
    """Fork once more, and tell how that process ends."""
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        os.dup2(out, 1)
        os.dup2(error, 2)
        for handle in (out, error):
            os.close(handle)
        become(asked)
    os.write(answers, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(asked: Mapping[str, Any]) -> NoReturn:
    """Be `python -m flowledger.engine.cli` with the arguments, in the folder."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    if not sys.flags.safe_path:
        sys.path.insert(0, asked["cwd"])
    sys.argv[1:] = asked["arguments"]
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
    sys.exit(0)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # this folder
    commands = import_module(f"{MODULE}.program").COMMANDS.values()
    for module in sorted({where.partition(":")[0] for where, _ in commands}):
        import_module(f"{MODULE}.commands.{module}")
    gc.freeze()  # a collection in a fork would copy all that was imported
    fork_for_each(socket.socket(fileno=int(sys.argv[1])))
