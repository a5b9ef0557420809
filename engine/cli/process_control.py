"""What SIGTERM, SIGHUP and SIGINT mean for commands and roles."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from select import select
from threading import Thread
from time import monotonic
from types import FrameType

from flowledger.engine.cli import end_at_once
from flowledger.engine.cli.output import tell_from_signal

Handler = Callable[[int, FrameType | None], object] | signal.Handlers

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


def at_once() -> Handler:
    """The handler that ends the process; the first one of a container must have its own."""
    return end_at_once if os.getpid() == 1 else signal.SIG_DFL


def _pass_over(number: int, frame: FrameType | None) -> None:
    """Handle a signal as if it had not come. Programs that are started meanwhile do not."""


class StopRequest:
    """Asked for by the first SIGTERM, SIGINT or SIGHUP; a second kills, as it does without us.

    Whoever does something else about a second one sets `second` before the first may come.

    `signalled` says whether it was a signal, `interrupted` whether that was Ctrl-C, which is
    answered with a line at once: `farewell` makes it, in the signal's handler.

    A pipe, as a signal's handler may run while this very thread holds any lock; and the interpreter
    writes to it too, since the system may give a signal to any thread, while handlers run in the
    main one, which would sleep on.
    """

    def __init__(self) -> None:
        self.signalled = self.interrupted = False
        self.farewell: Callable[[], str] = lambda: waiting_for(0, 0.0)
        self.second: Handler = at_once()
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

        That is noticed on every platform, also when the starter was killed. A second signal is
        passed over then: a service manager may ask each of its processes to stop, and the starter
        asks, too. It kills those that do not.
        """
        self.second = _pass_over
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
            signal.signal(heard, self.second)
        self.interrupted = number == signal.SIGINT
        if self.interrupted:
            tell_from_signal(self.farewell())
        self.ask()
