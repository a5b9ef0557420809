"""Worker processes beside a command: started, heard, and gone when the command is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import IO, Self

from flowledger.engine.cli.output import tell_document
from flowledger.engine.config import Settings


class WorkerProcesses:
    """`count` processes of `flowledger worker`, each in a process group of its own.

    Ctrl-C reaches this process only, which then stops them in order. They stop by themselves when
    their standard input ends, so none is left where this process is killed.
    """

    def __init__(self, count: int, arguments: Sequence[str], settings: Settings) -> None:
        self._count = count
        self._command = [
            *(sys.executable, "-m", "flowledger.engine.cli", "worker", "--while-input"),
            *arguments,
        ]
        self._drain = settings.cli.drain_seconds
        # Half of the time is for handlers to finish, the rest for handing back what did not.
        grace = min(settings.worker.grace_seconds, self._drain / 2)
        self._environment = {
            **os.environ,
            "FLOWLEDGER_LOGGING__LEVEL": settings.logging.level,
            "FLOWLEDGER_WORKER__GRACE_SECONDS": str(grace),
        }
        self._processes: list[subprocess.Popen[bytes]] = []
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
        for process in self._processes:
            process.terminate()
        until = monotonic() + self._drain
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - monotonic()))
            process.kill()
            process.wait()
        for relay in self._relays:
            relay.join()

    def _start(self) -> None:
        process = subprocess.Popen(  # noqa: S603 - this program, with arguments of its user
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            process_group=0,
        )
        self._processes.append(process)
        if process.stdout is not None:
            relay = Thread(target=_relay, args=(process.stdout,), daemon=True)
            relay.start()
            self._relays.append(relay)


def _relay(stream: IO[bytes]) -> None:
    """What a worker prints appears above the progress, and never in a JSON answer."""
    for line in stream:
        tell_document(line.decode(errors="replace"), err=True)
