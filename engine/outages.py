"""When what a loop does fails: it says so once, pauses longer and longer, and says when it is over.

An outage begins with the first attempt that fails and ends with the first that succeeds. Within it
each meaning (unreachable; refused, for each code; unknown) is told once, with the loop's name and
the server's code, however many attempts fail; `health` says at any time how things stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import uniform

from flowledger.engine.errors import DatabaseBusy, DatabaseUnavailable, StatementRefused
from flowledger.engine.telemetry import Signal, logger


class Backoff:
    """Pauses between attempts: doubling, capped, spread."""

    def __init__(self, initial_seconds: float, cap_seconds: float) -> None:
        self._initial = initial_seconds
        self._cap = cap_seconds
        self._next = initial_seconds

    def reset(self) -> None:
        """The attempt succeeded."""
        self._next = self._initial

    def pause(self) -> float:
        """Seconds until the next attempt."""
        pause, self._next = self._next, min(self._next * 2, self._cap)
        return uniform(pause / 2, pause)  # noqa: S311 - spreads reconnects


@dataclass(frozen=True, slots=True)
class Health:
    """How a loop fares: since when, and how many attempts in a row, it has failed, and why.

    `error` is None where its last attempt succeeded; `sqlstate` where the server gave no code.
    """

    since: datetime | None = None
    attempts: int = 0
    error: str | None = None
    sqlstate: str | None = None

    @property
    def well(self) -> bool:
        """Whether the last attempt succeeded."""
        return self.error is None


class Outages:
    """The outages of one loop, one after another. Its health may be read from any thread."""

    def __init__(self, name: str, over: Signal = Signal.DATABASE_BACK) -> None:
        self._over = over
        self._log = logger(name)
        self._told: set[tuple[str, str | None]] = set()
        self.health = Health()

    def failed(self, error: Exception) -> None:
        """An attempt failed."""
        meaning = meaning_of(error)
        state: str | None = getattr(error, "sqlstate", None)
        before = self.health
        self.health = Health(
            before.since or datetime.now(UTC), before.attempts + 1, str(error), state
        )
        # A server that goes away gives one code while it does, and none when it is gone.
        kind = (meaning, None if meaning is Signal.DATABASE_LOST else state)
        if kind in self._told:
            return
        self._told.add(kind)
        trace = error if meaning is Signal.LOOP_FAILED else None
        self._log.emit(meaning, error=str(error), sqlstate=state, exc_info=trace)

    def succeeded(self) -> None:
        """An attempt succeeded, be it the first or the hundredth."""
        if self.health.well:
            return
        ended, self.health = self.health, Health()
        self._told.clear()
        lasted = datetime.now(UTC) - (ended.since or datetime.now(UTC))
        self._log.emit(
            self._over, attempts=ended.attempts, seconds=round(lasted.total_seconds(), 3)
        )


def meaning_of(error: Exception) -> Signal:
    """What the logs call it."""
    match error:
        case DatabaseBusy():
            return Signal.DATABASE_BUSY
        case DatabaseUnavailable():
            return Signal.DATABASE_LOST
        case StatementRefused():
            return Signal.DATABASE_REFUSED
        case _:
            return Signal.LOOP_FAILED
