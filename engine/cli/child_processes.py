"""Processes of this program beside a command: they end when it asks them to, or when it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import IO, Self

from flowledger.engine.cli.output import tell_document
from flowledger.engine.config import Settings
from flowledger.engine.telemetry.lasting_thread import lasting_thread, tell

Child = subprocess.Popen[bytes]


def start_child(
    command: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    relayed: bool = False,
) -> Child:
    """This program with a command that takes `--while-input`, in a process group of its own.

    Ctrl-C reaches this process only, which then stops the other in order. That one stops by itself
    when its standard input ends, so it is not left where this process is killed. It writes where
    this process does; `relayed`, to a pipe. Raises OSError.
    """
    return subprocess.Popen(  # noqa: S603 - this program, with arguments of its user
        [sys.executable, "-m", "flowledger.engine.cli", command, "--while-input", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if relayed else None,
        stderr=subprocess.STDOUT if relayed else None,
        env=environment,
        process_group=0,
    )


def end_children(children: Iterable[Child], seconds: float) -> None:
    """Ask them to stop, kill those that do not within the time, and reap them all."""
    asked = list(children)
    for child in asked:
        child.terminate()
    until = monotonic() + seconds
    for child in asked:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, until - monotonic()))
        child.kill()
        child.wait()


class WorkerProcesses:
    """`count` processes of `flowledger worker`; `drain` are the seconds that they have to stop."""

    def __init__(self, count: int, arguments: Sequence[str], settings: Settings) -> None:
        self._count = count
        self._arguments = arguments
        self.drain = settings.cli.shutdown_timeout_seconds
        # Half of the time is for handlers to finish, the rest for handing back what did not.
        grace = min(settings.worker.grace_seconds, self.drain / 2)
        self._environment = {
            **os.environ,
            # The relay reads UTF-8, and writes what the console of this process has.
            "PYTHONIOENCODING": "utf-8:backslashreplace",
            "FLOWLEDGER_LOGGING__LEVEL": settings.logging.level,
            "FLOWLEDGER_WORKER__GRACE_SECONDS": str(grace),
        }
        self._processes: list[Child] = []
        self._relays: list[Thread] = []

    def __enter__(self) -> Self:
        try:
            for _ in range(self._count):
                self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def gone(self) -> int | None:
        """The exit code of one, where all of them ended; None while one runs or none was asked."""
        codes = [process.poll() for process in self._processes]
        return codes[-1] if codes and None not in codes else None

    def stop(self) -> None:
        """Ask them to stop, kill those that do not within the time, and reap them all."""
        end_children(self._processes, self.drain)
        for relay in self._relays:
            relay.join()

    def _start(self) -> None:
        process = start_child("worker", self._arguments, self._environment, relayed=True)
        self._processes.append(process)
        if process.stdout is not None:
            read = partial(_relay, process.stdout)
            # A worker whose pipe nobody empties would stand still.
            relay = lasting_thread("flowledger-relay", read, tell, partial(_has_ended, process))
            relay.start()
            self._relays.append(relay)


def _has_ended(process: Child) -> bool:
    return process.poll() is not None


def _relay(stream: IO[bytes]) -> None:
    """What a worker prints appears above the progress, and never in a JSON answer."""
    for line in stream:
        tell_document(line.decode(errors="replace"), err=True)
