"""When a host looks at the log: every poll while something happens, and seldom while nothing does.

Starts and decisions wake nobody, as others come with them. Where nothing has come for a while, the
next one wakes all who follow the log (`WAKEFUL_SECONDS`), so that a host may sleep until then.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flowledger.engine.config.projection_section import ProjectionSettings
from flowledger.engine.ports.clock_and_wakeup import WAKEFUL_SECONDS

EARLY = timedelta(milliseconds=20)
"""Who wakes up by so much before its time was told that nobody hears notifications."""


class LogLooks:
    """The time of the next look, by the engine's clock."""

    def __init__(self, settings: ProjectionSettings, now: datetime) -> None:
        self._poll = timedelta(seconds=settings.poll_seconds)
        self._idle_poll = max(self._poll, timedelta(seconds=settings.idle_poll_seconds))
        self._awake_until = self._rests_until = self.at = now

    def sleeps(self, now: datetime) -> bool:
        """Whether nothing has happened for long."""
        return now >= self._awake_until

    def told(self, now: datetime, *, moved: bool) -> None:
        """Something else that was asked has said whether the log has moved on."""
        if moved or self.sleeps(now):
            self.at = now if moved else now + self._idle_poll

    def is_due(self, now: datetime, *, woken: bool) -> bool:
        """Whether to look now; so it is where one waits for less long than one meant to."""
        return woken or now >= self.at or now < self._rests_until - EARLY

    def looked(self, now: datetime, *, moved: bool) -> None:
        """The log was looked at, and had moved on or not."""
        if moved:
            self._awake_until = now + timedelta(seconds=WAKEFUL_SECONDS)
        self.at = now + self._pause(now)

    def anew(self, now: datetime) -> None:
        """Look at once, and often for a while."""
        self.looked(now, moved=True)
        self.at = self._rests_until = now

    def rests(self, now: datetime, seconds: float) -> float:
        """The seconds that the host waits now: no more than from one look to the next."""
        seconds = max(0.0, min(seconds, self._pause(now).total_seconds()))
        self._rests_until = now + timedelta(seconds=seconds)
        return seconds

    def _pause(self, now: datetime) -> timedelta:
        return self._idle_poll if self.sleeps(now) else self._poll
