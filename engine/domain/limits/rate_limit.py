"""Rate limits by the generic cell rate algorithm (GCRA), which keeps one time for each key.

The time is when the next step of the key is expected if steps came evenly. A later step moves it on
from now, an earlier one from where it was; a step may come earlier by up to `burst - 1` intervals.
Over any time t at most burst + t / interval steps are admitted. Source: ITU-T I.371, the virtual
scheduling algorithm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from flowledger.engine.domain.limits.circuit_breaker import CLOCKS_DIFFER
from flowledger.engine.domain.limits.demand import RateLimit

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


LONGEST_AHEAD = timedelta(days=1)
"""How far ahead a time may be whatever the limit says, as another version's limit may have been
longer."""


class RateChange(NamedTuple):
    """The expected time of a key: as it was decided on, None where there was none, and now.

    `at` is when the first of the steps went: an expected time up to then held none of them back.
    """

    old: datetime | None
    new: datetime
    at: datetime


def allowed_at(limit: RateLimit, expected: datetime) -> datetime:
    """When the next step may go."""
    try:
        return expected - (limit.burst - 1) * limit.interval
    except OverflowError:
        return FIRST


def next_expected(limit: RateLimit, expected: datetime | None, now: datetime) -> datetime:
    """The expected time once a step has gone."""
    try:
        return max(now, expected or now) + limit.interval
    except OverflowError:
        return LAST


def believed(limit: RateLimit, expected: datetime | None, now: datetime) -> datetime | None:
    """The expected time; None where it is further ahead than steps can have moved it."""
    try:
        furthest = now + max(limit.burst * limit.interval, LONGEST_AHEAD) + CLOCKS_DIFFER
    except OverflowError:
        return expected
    return expected if expected is not None and expected <= furthest else None


class Rates:
    """The expected times of keys, and what a transaction changes of them."""

    def __init__(self, expected: Mapping[str, datetime]) -> None:
        self._expected = dict(expected)
        self._changed: dict[str, RateChange] = {}

    def __len__(self) -> int:
        return len(self._expected)

    def blocked_until(
        self, limits: Iterable[RateLimit], now: datetime
    ) -> tuple[RateLimit, datetime] | None:
        """The first of the limits by which it is too early, and until when; None where none is."""
        for limit in limits:
            expected = believed(limit, self._expected.get(limit.key), now)
            if expected is not None and (until := allowed_at(limit, expected)) > now:
                return limit, until
        return None

    def spend(self, limits: Iterable[RateLimit], now: datetime) -> None:
        """A step goes now."""
        for limit in limits:
            old = self._expected.get(limit.key)
            new = self._expected[limit.key] = next_expected(limit, believed(limit, old, now), now)
            first = self._changed.get(limit.key, RateChange(old, new, now))
            self._changed[limit.key] = first._replace(new=new)

    def drain(self) -> Mapping[str, RateChange]:
        """What was changed since it was last asked."""
        changed, self._changed = self._changed, {}
        return changed

    def forget(self, before: datetime) -> None:
        """Drop times that hold nobody back any more."""
        self._expected = {key: time for key, time in self._expected.items() if time >= before}
