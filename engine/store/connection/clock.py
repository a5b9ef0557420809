"""The engine's clock in this process: the database's time, plus the seconds that passed since.

Between two answers of the database it counts by a monotonic clock, which nobody can set. If the
clock of the host is set, the engine's time goes on as before, and `clock.stepped` is logged.

An answer holds for the middle between question and answer, to within half of the time between them.
So it corrects this clock only if the two differ by more than that whole time: a slow answer says
nothing, and the processes of one host all have the host's time. Within a process time never goes
back, except for a database whose own clock was put back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from flowledger.engine.domain.deterministic_ids import EPOCH
from flowledger.engine.errors import DatabaseUnfit
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Health

STEP = timedelta(seconds=1)
"""By how much a clock must be off the passing of time to have been set, and not to run unevenly."""

STEP_TOLD_SECONDS = 600.0
"""How long the health of a process tells that the clock of its host was set."""

CENTURY = timedelta(days=36_525)
FIRST = datetime.min.replace(tzinfo=UTC) + CENTURY
LAST = datetime.max.replace(tzinfo=UTC) - CENTURY
"""Between these one can reckon with a time."""

SET_RIGHT = (
    "the owner of the schema sets it right by `update flowledger.clock_offset set shift = '0'`"
)

LOOKS = 3
STALE_SECONDS = 30.0
"""How old the database's last answer may be for a process that asks for nothing by itself."""


def steady_seconds() -> float:
    """Seconds that have passed, those of a suspended host among them where they are counted."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


def wall_time() -> datetime:
    """What the clock of this host shows, UTC."""
    return datetime.now(UTC)


class DatabaseClock:
    """Follows `flowledger.clock()` without asking it each time. For any thread.

    Whoever reads the database's clock tells this one. Loops ask at least once a poll interval, so a
    moved clock is known everywhere within one.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = wall_time,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._lock = Lock()
        self._mark, self._at_mark = self._host = self._read()
        self._last = self._at_mark
        self._asked_at: float | None = None
        self._step: tuple[float, datetime, timedelta] | None = None
        self._log = logger("clock")

    def now(self) -> datetime:
        """The engine's time, UTC; never before what it was when somebody last looked."""
        with self._lock:
            self._last = max(self._last, self._reckoned(self._steady()))
            return self._last

    def asking(self) -> float:
        """Call it right before the database is asked for its time, and give it to `observe`."""
        return self._steady()

    def observe(self, told: datetime, asked: float | None = None) -> None:
        """The database was asked at `asked`, or just now, what time it is, and has answered.

        Raises DatabaseUnfit where it is at the end of all calendars.
        """
        if not FIRST < told < LAST:
            raise DatabaseUnfit(
                "the engine's clock is at the end of all calendars, as it is moved by the interval"
                f" in flowledger.clock_offset: {SET_RIGHT}"
            )
        with self._lock:
            answered = self._steady()
            took = timedelta(seconds=0.0 if asked is None else max(0.0, answered - asked))
            true, reckoned = told.astimezone(UTC) + took / 2, self._reckoned(answered)
            self._asked_at = answered
            stepped = self._stepped()
            if abs(true - reckoned) > took:
                self._mark, self._at_mark = answered, true
                if true < self._last - STEP:
                    self._last = true
        if stepped is not None:
            self._log.emit(Signal.CLOCK_STEPPED, seconds=stepped.total_seconds())

    @property
    def stale(self) -> bool:
        """Whether the database has not been asked for so long that it should be."""
        with self._lock:
            asked = self._asked_at
            return asked is None or self._steady() - asked > STALE_SECONDS

    @property
    def health(self) -> Health:
        """Whether the clock of this host goes on as time does; asks nobody."""
        with self._lock:
            if self._step is None or self._steady() - self._step[0] > STEP_TOLD_SECONDS:
                return Health()
            _, since, by = self._step
        seconds = by.total_seconds()
        return Health(
            since,
            1,
            f"the clock of this host stepped by {seconds:+.3f} s; the engine's time is the"
            " database's and did not, but logs and handlers have the host's",
        )

    def _reckoned(self, steady: float) -> datetime:
        return self._at_mark + timedelta(seconds=steady - self._mark)

    def _stepped(self) -> timedelta | None:
        """By how much the host's clock was set since it was last looked at; None: it was not."""
        steady, wall = host = self._read()
        passed = timedelta(seconds=steady - self._host[0])
        by = wall - self._host[1] - passed
        self._host = host
        if abs(by) < STEP:
            return None
        self._step = steady, wall, by
        return by

    def _read(self) -> tuple[float, datetime]:
        """Both clocks at one moment; this thread may have to wait between two looks at them."""
        best, found = float("inf"), (0.0, EPOCH)
        for _ in range(LOOKS):
            before, wall, after = self._steady(), self._wall(), self._steady()
            if after - before < best:
                best, found = after - before, ((before + after) / 2, wall)
        return found
