"""The time that one process believes in, as it follows the database's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


class LocalClock:
    """The machine's clock, corrected by what the database said last, to within some `error`."""

    def __init__(
        self,
        machine: Callable[[], datetime],
        error: timedelta = timedelta(),
    ) -> None:
        self._machine = machine
        self._error = self._shift = error

    def now(self) -> datetime:
        """The engine's time, UTC."""
        return self._machine() + self._shift

    def observe(self, told: datetime) -> None:
        """The database just said what time it is."""
        self._shift = told - self._machine() + self._error
