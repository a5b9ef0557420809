"""Who waits for a connection: for another borrower of this process, or for the server."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from flowledger.engine.display_text import duration
from flowledger.engine.telemetry.outages import Health

PATIENCE_SECONDS = 1.0
"""Who waits no longer is nothing to tell."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Since when somebody waits, by two clocks; `full`: as all connections are lent."""

    began: float
    since: datetime
    full: bool


class Waits:
    """The waits of one pool. For any thread."""

    def __init__(self, max_size: int, clock: Callable[[], float] = monotonic) -> None:
        self._max_size = max_size
        self._clock = clock
        self._waits: dict[object, Wait] = {}

    @contextmanager
    def noted(self, *, full: bool) -> Generator[None]:
        """Within the block somebody waits."""
        key = object()
        self._waits[key] = Wait(self._clock(), datetime.now(UTC), full)
        try:
            yield
        finally:
            del self._waits[key]

    @property
    def health(self) -> Health:
        """Since when somebody has waited for longer than a second, how many do, and for what."""
        now = self._clock()
        long = [one for one in [*self._waits.values()] if now - one.began >= PATIENCE_SECONDS]
        if not long:
            return Health()
        first = min(long, key=lambda one: one.began)
        waited = duration(timedelta(seconds=now - first.began))
        if any(one.full for one in long):
            error = (
                f"all connections of this process are in use (database.pool_max_size is"
                f" {self._max_size}), and who needs one has waited for {waited}"
            )
        else:
            error = (
                f"a connection has been in the making for {waited}: the server does not answer,"
                " or the pooler in front of it has none left"
            )
        return Health(first.since, len(long), error)
