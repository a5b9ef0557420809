"""Processes beside a command, and what SIGTERM and SIGINT mean for commands and roles."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from select import select
from threading import Thread
from time import monotonic
from types import FrameType, TracebackType
from typing import IO, Self

from flowledger.engine.cli import end_at_once
from flowledger.engine.cli.output import tell_document, tell_from_signal
from flowledger.engine.config import Settings
from flowledger.engine.telemetry.lasting_thread import lasting_thread, tell

AGAIN = "press Ctrl-C again to end at once"
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def unwinding() -> Generator[None]:
    """Within the block SIGTERM and SIGHUP unwind like Ctrl-C, with exit code 143 or 129."""

    def leave(number: int, frame: FrameType | None) -> None:
        signal.signal(number, at_once())
        sys.exit(128 + number)

    numbers = [number for number in ENDS if number != signal.SIGINT and is_heard(number)]
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def waiting_for(steps: int, seconds: float) -> str:
    """What Ctrl-C is answered with: what is waited for, and for how long at most."""
    if not steps:
        return f"stopping; {AGAIN}"
    counted = "1 step" if steps == 1 else f"{steps} steps"
    return f"waiting for {counted} to end, at most {seconds:g} s; {AGAIN}"


def is_heard(number: signal.Signals) -> bool:
    """Whether the process is not told to ignore it, as `nohup` tells it to ignore SIGHUP."""
    return signal.getsignal(number) is not signal.SIG_IGN


def at_once() -> Callable[[int, FrameType | None], object] | signal.Handlers:
    """The handler that ends the process; the first one of a container must have its own."""
    return end_at_once if os.getpid() == 1 else signal.SIG_DFL


class StopRequest:
    """Asked for by the first SIGTERM, SIGINT or SIGHUP; a second kills, as it does without us.

    `signalled` says whether it was a signal, `interrupted` whether that was Ctrl-C, which is
    answered with a line at once: `farewell` makes it, in the signal's handler.

    A pipe, as a signal's handler may run while this very thread holds any lock; and the interpreter
    writes to it too, since the system may give a signal to any thread, while handlers run in the
    main one, which would sleep on.
    """

    def __init__(self) -> None:
        self.signalled = self.interrupted = False
        self.farewell: Callable[[], str] = lambda: waiting_for(0, 0.0)
        self._asked = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for heard in filter(is_heard, ENDS):
            signal.signal(heard, self._ask)

    def wait(self) -> None:
        """Wait until a stop is asked for."""
        while not self._asked:
            os.read(self._reader, 1)

    def asked_within(self, seconds: float) -> bool:
        """Whether a stop is asked for by the end of so many seconds, waiting for it."""
        until = monotonic() + seconds
        while not self._asked and (left := until - monotonic()) > 0:
            if select([self._reader], [], [], left)[0]:
                os.read(self._reader, 1)
        return self._asked

    def ask(self) -> None:
        """Ask for it from within the program, from any thread."""
        self._asked = True
        os.write(self._writer, b".")

    def ask_at_end_of_input(self) -> None:
        """Stop when standard input ends, too: the process that started this one is gone.

        That is noticed on every platform, also when the starter was killed.
        """
        Thread(target=self._watch_input, name="flowledger-starter", daemon=True).start()

    def _watch_input(self) -> None:
        try:
            while os.read(sys.stdin.fileno(), 1024):
                pass
        finally:
            self.ask()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True
        for heard in filter(is_heard, ENDS):
            signal.signal(heard, at_once())
        self.interrupted = number == signal.SIGINT
        if self.interrupted:
            tell_from_signal(self.farewell())
        self.ask()


class WorkerProcesses:
    """`count` processes of `flowledger worker`, each in a process group of its own.

    Ctrl-C reaches this process only, which then stops them in order. They stop by themselves when
    their standard input ends, so none is left where this process is killed. `drain` are the seconds
    that they have for it.
    """

    def __init__(self, count: int, arguments: Sequence[str], settings: Settings) -> None:
        self._count = count
        self._command = [
            *(sys.executable, "-m", "flowledger.engine.cli", "worker", "--while-input"),
            *arguments,
        ]
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
        until = monotonic() + self.drain
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
            read = partial(_relay, process.stdout)
            # A worker whose pipe nobody empties would stand still.
            relay = lasting_thread("flowledger-relay", read, tell, partial(_has_ended, process))
            relay.start()
            self._relays.append(relay)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _relay(stream: IO[bytes]) -> None:
    """What a worker prints appears above the progress, and never in a JSON answer."""
    for line in stream:
        tell_document(line.decode(errors="replace"), err=True)
