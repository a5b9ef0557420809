"""What SIGTERM and SIGINT mean: a command that runs a workflow unwinds, a role stops in order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread
from types import FrameType

TERMINATED = 143


@contextmanager
def unwinding() -> Generator[None]:
    """Within the block SIGTERM unwinds like Ctrl-C, with exit code 143."""

    def leave(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopRequest:
    """Asked for by the first SIGTERM or SIGINT; a second one kills, as it does without us.

    `signalled` says whether it was a signal. A pipe, as a signal's handler may run while this very
    thread holds any lock; and the interpreter writes to it too, since the system may give a signal
    to any thread, while handlers run in the main one, which would sleep on.
    """

    def __init__(self) -> None:
        self.signalled = False
        self._asked = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def wait(self) -> None:
        """Wait until a stop is asked for."""
        while not self._asked:
            os.read(self._reader, 1)

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
        while os.read(sys.stdin.fileno(), 1024):
            pass
        self.ask()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.ask()
