"""The engine's time in this process: the local clock, corrected by what the database said last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class DatabaseClock:
    """Follows `flowledger.clock()` without asking it each time.

    Whoever reads the database's clock tells this one; between, the local clock goes on. Loops ask
    at least once a poll interval, so a moved clock is known everywhere within one.
    """

    def __init__(self) -> None:
        self._shift = timedelta()

    def now(self) -> datetime:
        """The engine's time, UTC."""
        return datetime.now(UTC) + self._shift

    def observe(self, told: datetime) -> None:
        """The database just said what time it is."""
        self._shift = told.astimezone(UTC) - datetime.now(UTC)
