"""How long a worker may believe that its steps are its own. Arithmetic only: callers pass the time.

The deadline counts from when the renewal was *asked for*, so a slow reply can shorten the trust in
a lease but never stretch it; and it ends a margin before the database would give the steps away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A renewal asked for at `asked_at`, for `ttl`, trusted until `margin` before its end."""

    asked_at: datetime
    ttl: timedelta
    margin: timedelta

    @property
    def trusted_until(self) -> datetime:
        """From here on the holder must not believe in the lease."""
        return self.asked_at + self.ttl - self.margin

    def is_trusted(self, now: datetime) -> bool:
        """Whether the holder may go on."""
        return now < self.trusted_until

    def renew_in(self, now: datetime) -> timedelta:
        """A third of what is left, so that two lost heartbeats do not lose the steps."""
        return max((self.trusted_until - now) / 3, timedelta())
