"""A process that has imported the engine, and forks to run it: a program costs no imports.

Each run is a process of its own, as a shell starts one: with its own folder, environment, output,
signals and end. What it shares with the others is what Python had imported before it began: the
modules of all commands, and what these import. That each of them can be the first to be imported
is tested elsewhere.

This file is both sides of it: `ForkedProgram` for the tests, and the program that forks.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
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
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, NoReturn

COMMANDS = "flowledger.engine.cli"
USED = (
    "flowledger.engine.store.embedded.temporary",
    "flowledger.projections.verification",
    "flowledger.projections.wiring",
    "importlib.resources.readers",
)
"""What commands import as they go."""
READ_AT_START = ("PYTHON", "LC_", "LANG")
"""Beginnings of variables that an interpreter reads as it starts, and never again."""
LENGTH = 8
"""Bytes of what is said of a program, and of the length of what is asked for."""
STOPPED = b"stopped "


class ForkedProgram:
    """Programs, each started by one process that has imported what they import."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self.address = str(Path(self._folder.name) / "asked")
        self._environment = dict(os.environ)
        with socket.socket(socket.AF_UNIX) as asked:
            asked.bind(self.address)
            asked.listen(64)
            self._process = subprocess.Popen(  # noqa: S603 - this very file
                [sys.executable, __file__, str(asked.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[asked.fileno()],
                cwd="/",
            )

    def close(self) -> None:
        """End the process that forks."""
        self._process.communicate()
        self._folder.cleanup()

    def can_run_with(self, environment: Mapping[str, str]) -> bool:
        """Whether Python would start no differently with it than the process that forks did."""
        return read_at_start(environment) == read_at_start(self._environment)

    def run(
        self, program: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
    ) -> tuple[int, str, str]:
        """Run it to its end: its exit code and what it wrote, as of `subprocess.run`.

        `program` is what Python is started with: `-m` and a module, or a file; then arguments.
        Raises TimeoutExpired after `timeout` seconds, when it has been killed.
        """
        with TemporaryFile() as out, TemporaryFile() as error, Path(os.devnull).open() as nothing:
            started = self.fork(program, cwd, env, (nothing, out, error))
            try:
                code = started.wait(timeout)
            except subprocess.TimeoutExpired:
                os.kill(started.pid, signal.SIGKILL)
                started.wait()
                raise
            return code, text_in(out), text_in(error)

    def fork(
        self,
        program: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        streams: Sequence[Any],
    ) -> ForkedProcess:
        """Start it with this input, output and error.

        Raises ValueError where Python would start differently in such an environment.
        """
        if not self.can_run_with(env):
            raise ValueError(f"nothing is forked with {read_at_start(env)}")
        answers = socket.socket(socket.AF_UNIX)
        answers.connect(self.address)
        said = json.dumps({"program": list(program), "cwd": str(cwd), "env": dict(env)}).encode()
        handles = [stream.fileno() for stream in streams]
        socket.send_fds(answers, [len(said).to_bytes(LENGTH)], handles)
        answers.sendall(said)
        return ForkedProcess(program, answers)


class ForkedProcess:
    """One that was forked, and how it ends."""

    def __init__(self, program: Sequence[str], answers: socket.socket) -> None:
        self.args = list(program)
        self._answers = answers
        self.pid = int(answers.recv(LENGTH))
        self.returncode: int | None = None
        self._stops = 0

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises TimeoutExpired after so many seconds."""
        while self.returncode is None:
            self._hear(timeout)
        return self.returncode

    def until_stopped(self, timeout: float) -> None:
        """Wait until a signal has stopped it. Raises TimeoutExpired after so many seconds."""
        while not self._stops and self.returncode is None:
            self._hear(timeout)
        assert self._stops, f"it ended with {self.returncode}"

    def _hear(self, timeout: float | None) -> None:
        self._answers.settimeout(timeout)
        try:
            said = self._answers.recv(LENGTH)
        except (TimeoutError, BlockingIOError):
            raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
        if said == STOPPED:
            self._stops += 1
            return
        self.returncode = int(said)
        self._answers.close()


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


def fork_for_each(asked: socket.socket) -> None:
    """Run what everyone asks for, until the tests have ended."""
    while sys.stdin not in select.select([sys.stdin, asked], [], [])[0]:
        answers, _ = asked.accept()
        with answers:
            header, streams, _, _ = socket.recv_fds(answers, LENGTH, 3)
            if not header:
                continue  # nobody wants to know any more
            program = json.loads(all_of(answers, int.from_bytes(header)))
            if os.fork() == 0:
                asked.close()
                watch(program, answers.detach(), *streams)
            for stream in streams:
                os.close(stream)
        forget_the_ended()


def all_of(answers: socket.socket, length: int) -> bytes:
    said = b""
    while len(said) < length:
        said += answers.recv(length - len(said))
    return said


def forget_the_ended() -> None:
    """Those who have watched to the end."""
    with suppress(ChildProcessError):  # there is nobody left
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def watch(asked: Mapping[str, Any], answers: int, *streams: int) -> NoReturn:
    """Fork once more, and tell how that process ends."""
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        become(asked)
    for stream in streams:  # who reads from them waits for the end of the program alone
        os.close(stream)
    os.write(answers, str(pid).encode().ljust(LENGTH))
    with suppress(BrokenPipeError):  # nobody wants to know
        while os.WIFSTOPPED(status := os.waitpid(pid, os.WUNTRACED)[1]):
            os.write(answers, STOPPED)
        os.write(answers, str(os.waitstatus_to_exitcode(status)).encode().ljust(LENGTH))
    os._exit(0)


def become(asked: Mapping[str, Any]) -> NoReturn:
    """Be Python with the program and its arguments, in the folder."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    program, *arguments = asked["program"]
    sys.orig_argv[:] = [sys.executable, *asked["program"]]
    try:
        if program == "-m":
            module, *sys.argv[1:] = arguments
            first_on_path(asked["cwd"])
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            sys.argv[:] = [program, *arguments]
            first_on_path(str(Path(program).parent))
            runpy.run_path(program, run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, int):
            leave_with(ended.code)
        raise
    leave_with(0)


def first_on_path(folder: str) -> None:
    if not sys.flags.safe_path:
        sys.path.insert(0, folder)


def leave_with(code: int) -> NoReturn:
    """End with the code, and without taking apart, and so copying, all that was imported."""
    _codes.append(code)
    sys.exit(code)


_codes: list[int] = []


def leave() -> None:
    """The last of what is done at exit, where nothing went wrong until then."""
    if not _codes:
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:  # the interpreter says so in its own way
        return
    os._exit(_codes[0])


if __name__ == "__main__":
    atexit.register(leave)  # the first to be registered is the last to be called
    if not sys.flags.safe_path:
        del sys.path[0]  # this folder
    commands = import_module(f"{COMMANDS}.program").COMMANDS.values()
    for place in sorted({where.partition(":")[0] for where, _ in commands}):
        import_module(f"{COMMANDS}.commands.{place}")
    for place in USED:
        import_module(place)
    gc.freeze()  # a collection in a fork would copy all that was imported
    fork_for_each(socket.socket(fileno=int(sys.argv[1])))
