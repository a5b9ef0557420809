"""Outages of a loop: each is logged once with its reason, backed off, and its end logged.

An outage begins with the first attempt that fails and ends with the first that succeeds. Within it
each meaning (unreachable; refused, for each code; unknown) is told once, with the loop's name and
the server's code, however many attempts fail; `health` says at any time how things stand. The loops
of one role (a coordinator has one for each shard that it leads) tell together: the first that fails
says so, and the last that succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import uniform
from threading import Lock, Thread

from flowledger.engine.errors import (
    DatabaseBusy,
    DatabaseUnavailable,
    PositionBehindLog,
    StatementRefused,
)
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal


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
    def ok(self) -> bool:
        """Whether the last attempt succeeded."""
        return self.error is None


class OutageLog:
    """What was told of an outage that strikes one loop, or several at once. For any thread."""

    def __init__(self, name: str, over: Signal = Signal.DATABASE_RECOVERED) -> None:
        self._over = over
        self._log = logger(name)
        self._lock = Lock()
        self._told: set[tuple[str, str | None]] = set()
        self._failing: dict[object, datetime] = {}
        self._began: datetime | None = None
        self._attempts = 0

    def failed(self, loop: object, error: BaseException, health: Health) -> None:
        """An attempt of the loop failed, and its health is this now."""
        meaning = meaning_of(error)
        # A server that goes away gives one code while it does, and none when it is gone.
        kind = (meaning, None if meaning is Signal.DATABASE_UNREACHABLE else health.sqlstate)
        with self._lock:
            self._failing.setdefault(loop, health.since or datetime.now(UTC))
            self._began = self._began or self._failing[loop]
            self._attempts = max(self._attempts, health.attempts)
            if kind in self._told:
                return
            self._told.add(kind)
        trace = error if meaning is Signal.LOOP_FAILED else None
        self._log.emit(meaning, error=health.error, sqlstate=health.sqlstate, exc_info=trace)

    def succeeded(self, loop: object) -> None:
        """An attempt of a loop that had failed succeeded; it is over with the last of them."""
        ended = self._without(loop)
        if ended is not None:
            attempts, lasted = ended
            self._log.emit(self._over, attempts=attempts, seconds=round(lasted.total_seconds(), 3))

    def left(self, loop: object) -> None:
        """The loop makes no attempts any more."""
        self._without(loop)

    def _without(self, loop: object) -> tuple[int, timedelta] | None:
        with self._lock:
            if self._failing.pop(loop, None) is None or self._failing:
                return None
            now = datetime.now(UTC)
            ended = self._attempts, now - (self._began or now)
            self._told.clear()
            self._began, self._attempts = None, 0
            return ended


class Outages:
    """The outages of one loop, one after another. Its health may be read from any thread."""

    def __init__(
        self, name: str, over: Signal = Signal.DATABASE_RECOVERED, telling: OutageLog | None = None
    ) -> None:
        """`telling` is shared by loops that need not all say the same."""
        self._telling = telling or OutageLog(name, over)
        self._health = Health()
        self._thread: Thread | None = None

    @property
    def health(self) -> Health:
        """How the last attempt fared, or that there are no more though nobody ended them."""
        thread = self._thread
        if thread is not None and thread.ident is not None and not thread.is_alive():
            return Health(error=f"the thread {thread.name} has ended: start the process anew")
        return self._health

    def of_thread(self, thread: Thread) -> None:
        """The attempts are this thread's, which must not end before they are `left`."""
        self._thread = thread

    def failed(self, error: BaseException) -> None:
        """An attempt failed."""
        state: str | None = getattr(error, "sqlstate", None)
        since, attempts = self._health.since or datetime.now(UTC), self._health.attempts + 1
        self._health = Health(since, attempts, str(error) or type(error).__name__, state)
        self._telling.failed(self, error, self._health)

    def succeeded(self) -> None:
        """An attempt succeeded, be it the first or the hundredth."""
        if not self._health.ok:
            self._health = Health()
            self._telling.succeeded(self)

    def left(self) -> None:
        """There are no attempts any more."""
        self._thread = None
        self._telling.left(self)


def meaning_of(error: BaseException) -> Signal:
    """What the logs call it."""
    match error:
        case DatabaseBusy():
            return Signal.DATABASE_BUSY
        case DatabaseUnavailable():
            return Signal.DATABASE_UNREACHABLE
        case StatementRefused():
            return Signal.DATABASE_REFUSED
        case PositionBehindLog():
            return Signal.COORDINATOR_POSITION_BEHIND
        case _:
            return Signal.LOOP_FAILED
