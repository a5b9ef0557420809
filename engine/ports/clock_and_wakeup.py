"""Ports to the process that the loops run in: clock, wakeup, and crash points for tests."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The engine's time."""

    def now(self) -> datetime:
        """The time by which everything is decided, UTC."""
        ...


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
