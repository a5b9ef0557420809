"""A program that runs beside its test: it is forked, and used as what `subprocess.Popen` starts."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import IO, Self

from support.forked_program import ForkedProcess, forked_program


class StartedProgram:
    """Its input, output, log and end."""

    def __init__(
        self, process: ForkedProcess, stdin: IO[str], stdout: IO[str], stderr: IO[str]
    ) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.args, self.pid = process.args, process.pid
        self._process = process
        self._readers = [Reader(stdout), Reader(stderr)]

    @property
    def returncode(self) -> int | None:
        """Its exit code, once somebody has asked for it."""
        return self._process.returncode

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises TimeoutExpired after so many seconds."""
        return self._process.wait(timeout)

    def until_stopped(self, timeout: float) -> None:
        """Wait until a signal has stopped it. Raises TimeoutExpired after so many seconds."""
        self._process.until_stopped(timeout)

    def send_signal(self, number: int) -> None:
        """Where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Close its input; what it still writes until it ends.

        Raises TimeoutExpired after so many seconds; one may ask again.
        """
        self.stdin.close()
        for reader in self._readers:
            reader.begin()
        self.wait(timeout)
        out, error = (reader.end() for reader in self._readers)
        return out, error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close its streams, and wait for its end."""
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()
        self.wait()


class Reader:
    """Reads a stream to its end, beside who waits for something else."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._text = ""
        self._thread = Thread(target=self._read, daemon=True)

    def begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def end(self) -> str:
        self._thread.join()
        return self._text

    def _read(self) -> None:
        if not self._stream.closed:
            with self._stream:
                self._text = self._stream.read()


def start_program(
    program: Sequence[str], cwd: Path, env: Mapping[str, str], *, log: bool = True
) -> StartedProgram:
    """Start Python with `-m` and a module, or a file, and arguments.

    Without a `log`, what it writes there is written where this process writes its own.
    """
    with ExitStack() as theirs:
        read, stdin = pipe()
        stdout, write = pipe()
        stderr, write_log = pipe() if log else (io.StringIO(), sys.__stderr__)
        for stream in (read, write, *([write_log] if log else [])):
            theirs.enter_context(stream)
        process = forked_program().fork(program, cwd, env, (read, write, write_log))
    return StartedProgram(process, stdin, stdout, stderr)


def pipe() -> tuple[IO[str], IO[str]]:
    """The end that is read, and the one that is written."""
    read, write = os.pipe()
    return os.fdopen(read, encoding="utf-8"), os.fdopen(write, "w", encoding="utf-8")
