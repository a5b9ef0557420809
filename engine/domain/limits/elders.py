"""Room that a shard leaves to steps of other shards which have waited longer for it.

A shard that makes room could give it to its own steps in the same transaction, and the others would
wait for as long as it has any. So it looks now and then whether somebody waits elsewhere with a
smaller turn, and leaves him a slot, for `LEFT_SECONDS`. Whoever does not take it, because something
else holds him as well, is not waited for again at once. Steps that are less than `SLACK_SECONDS`
apart are not told apart, since a slot that changes shards is idle for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

SLACK_SECONDS = 1.0
LEFT_SECONDS = 1.0
AGAIN_SECONDS = 5.0


class Elder(NamedTuple):
    """A step of another shard that waits for a slot of a limit."""

    key: str
    step_id: UUID
    turn: float


class Elders:
    """Those that a shard knows of, and to whom it has left a slot, since when."""

    def __init__(self) -> None:
        self._elders: dict[str, list[Elder]] = {}
        self._left: dict[UUID, datetime] = {}

    def know(self, elders: Iterable[Elder], now: datetime) -> None:
        """Who waits elsewhere, the first first; whoever is not named does not wait any more."""
        self._elders = {}
        for elder in elders:
            self._elders.setdefault(elder.key, []).append(elder)
        again = now - timedelta(seconds=AGAIN_SECONDS)
        self._left = {step: since for step, since in self._left.items() if since > again}

    def take(self, key: str, turn: float, free: int, now: datetime) -> bool:
        """Whether they leave nothing of the free slots to a step of that turn."""
        before = turn - SLACK_SECONDS
        elders = [elder for elder in self._elders.get(key, ()) if elder.turn < before]
        for elder in elders:
            if self._reserved(elders, now) >= free:
                break
            self._left.setdefault(elder.step_id, now)
        return bool(elders) and self._reserved(elders, now) >= free

    def _reserved(self, elders: Iterable[Elder], now: datetime) -> int:
        since = now - timedelta(seconds=LEFT_SECONDS)
        return sum(self._left.get(elder.step_id, since) > since for elder in elders)
