"""Keeps processes of `flowledger start` running: one that ends is followed by another.

The supervisor plays no role, and runs nothing of its users but the import of their modules, so that
what kills a process (memory, a library's fault) leaves it. It ends when it is told to, and then the
processes do; where it is killed, they end by themselves.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from types import FrameType

from flowledger.engine.cli.child_processes import Child, end_children, start_child
from flowledger.engine.cli.process_control import AGAIN, StopRequest, at_once
from flowledger.engine.config import Settings
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff

LOOK_SECONDS = 0.2
"""Between two looks at whether all processes run."""
AGAIN_SECONDS, AGAIN_CAP_SECONDS = 0.5, 30.0
"""Before a process that ended is followed by another; doubling."""
LASTING_SECONDS = 60.0
"""What ran for so long and ended has not failed to start: the next follows it soon."""
SPARE_SECONDS = 5.0
"""For a process to come to its end, beside what its settings give it."""


class Supervisor:
    """So many processes of `flowledger start` with these arguments, until it is closed."""

    def __init__(self, processes: int, arguments: Sequence[str], settings: Settings) -> None:
        start = partial(start_child, "start", arguments)
        self._places = [Place(start, monotonic) for _ in range(processes)]
        grace, farewell = settings.worker.grace_seconds, settings.database.shutdown_timeout_seconds
        self._drain = grace + farewell + SPARE_SECONDS

    def keep_running(self, stop: StopRequest) -> None:
        """Start them, and others where they end, until a stop is asked for."""
        stop.second = self._end_at_once
        stop.farewell = lambda: f"waiting for the processes, at most {self._drain:g} s; {AGAIN}"
        pause = 0.0
        while not stop.asked_within(pause):
            for place in self._places:
                place.look()
            pause = LOOK_SECONDS

    def close(self) -> None:
        """Have them stop, and wait for it; what does not within its time is killed."""
        end_children(self._children, self._drain)

    @property
    def _children(self) -> list[Child]:
        return [place.child for place in self._places if place.child is not None]

    def _end_at_once(self, number: int, frame: FrameType | None) -> None:
        """Handle a second signal: all end as if it had killed the one process."""
        for child in self._children:
            child.kill()
        signal.signal(number, at_once())
        os.kill(os.getpid(), number)


class Place:
    """One of the processes, and those that follow it. `clock` has seconds, and never steps."""

    def __init__(self, start: Callable[[], Child], clock: Callable[[], float]) -> None:
        self.child: Child | None = None
        self._start = start
        self._clock = clock
        self._begins_at = self._began = clock()
        self._backoff = Backoff(AGAIN_SECONDS, AGAIN_CAP_SECONDS)
        self._log = logger("program")

    def look(self) -> None:
        """Tell of a process that has ended, and start the next when its time has come."""
        if self.child is None:
            if self._clock() >= self._begins_at:
                self._begin()
        elif (code := self.child.poll()) is not None:
            self._ended(self.child, code)

    def _begin(self) -> None:
        self._began = self._clock()
        try:
            self.child = self._start()
        except OSError as error:
            self._follow(error=str(error))

    def _ended(self, child: Child, code: int) -> None:
        if child.stdin is not None:
            child.stdin.close()
        self.child = None
        if self._clock() - self._began >= LASTING_SECONDS:
            self._backoff.reset()
        self._follow(pid=child.pid, **how_ended(code))

    def _follow(self, **facts: int | str) -> None:
        pause = self._backoff.pause()
        self._begins_at = self._clock() + pause
        self._log.emit(Signal.PROGRAM_PROCESS_ENDED, **facts, seconds=round(pause, 3))


def how_ended(code: int) -> dict[str, int | str]:
    """The exit code, or the signal that ended a process, as a field of a log line."""
    if code >= 0:
        return {"code": code}
    with suppress(ValueError):  # a number that has no name
        return {"signal": signal.Signals(-code).name}
    return {"signal": -code}
