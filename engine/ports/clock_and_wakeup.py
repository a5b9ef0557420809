"""Ports to the process that the loops run in: clock, wakeup, and crash points for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

PUT_BACK = timedelta(seconds=1)
"""By how much the engine's clock must be put back to be noticed."""

WAKEFUL_SECONDS = 10.0
"""So long does who follows the log look every poll after it last saw something. So who stores what
wakes nobody (a start, a decision) wakes all where it has stored nothing for half as long.
"""


class Clock(Protocol):
    """The engine's time."""

    def now(self) -> datetime:
        """The time by which everything is decided, UTC."""
        ...


class PutBackWatch:
    """Tells a loop that the engine's clock was put back: what it waits for may be far too late."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = clock.now()

    def was_put_back(self) -> bool:
        """Whether it was since this was last asked, by more than clocks differ anyway."""
        seen, self._seen = self._seen, self._clock.now()
        return self._seen < seen - PUT_BACK


class Wakeup(Protocol):
    """Something to wait on: remembers which channels were notified since it was last asked."""

    def wait(self, seconds: float) -> frozenset[str]:
        """The channels that were notified; empty when the time is up. Clears them."""
        ...

    def notify(self, channel: str) -> None:
        """Ring from within this process."""
        ...


class CrashPoints(Protocol):
    """Named places where a crash would be interesting. Does nothing in production."""

    def reached(self, point: str) -> None:
        """Called when the point is reached."""
        ...


class NoCrashPoints:
    """The fault points of production."""

    def reached(self, point: str) -> None:
        """Nothing happens."""


NO_CRASH_POINTS = NoCrashPoints()
