"""Concurrency limits: which step holds slots of which limit, and slots reserved for other shards.

A step holds a slot of each of its limits exactly while it is queued or runs. Counts are those of
the whole engine as this process knows them; another shard may have changed them meanwhile. So each
acquired key carries `max_before`: the highest stored count for which this decision is still valid.
If another shard has raised the count above it, the database refuses the commit.

Fairness between shards. Without it a shard would hand every slot it frees to its own waiting steps,
and steps of other shards would starve. So at intervals it looks for waiting steps of other shards
with a smaller sort key, and reserves a slot for each for `RESERVED_SECONDS`. A step that does not
take it, because another limit holds it back too, gets no reservation again for `AGAIN_SECONDS`.
Steps less than `SLACK_SECONDS` apart count as equally old, since a slot that changes shards is idle
for a moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from flowledger.engine.domain.limits.demand import SlotLimit

SLACK_SECONDS = 1.0
RESERVED_SECONDS = 1.0
AGAIN_SECONDS = 5.0


class SlotChanges(NamedTuple):
    """What steps hold now, by step, and the most that keys may have had in use before."""

    holders: Mapping[UUID, tuple[str, ...]]
    max_before: Mapping[str, int]
    freed: bool


class Slots:
    """The slots in use, by key, and those of this process's steps, by step."""

    def __init__(self, in_use: Mapping[str, int], holders: Mapping[UUID, tuple[str, ...]]) -> None:
        self._in_use = dict(in_use)
        self._holders = dict(holders)
        self._changed: dict[UUID, tuple[str, ...]] = {}
        self._net: defaultdict[str, int] = defaultdict(int)
        self._most: dict[str, int] = {}

    def full(self, limits: Iterable[SlotLimit]) -> SlotLimit | None:
        """The first of the limits that has no room; None where all have."""
        return next((one for one in limits if self._in_use.get(one.key, 0) >= one.limit), None)

    def available(self, limit: SlotLimit) -> int:
        """How many slots of the limit are free."""
        return limit.limit - self._in_use.get(limit.key, 0)

    def holds(self, step: UUID) -> bool:
        """Whether the step holds slots."""
        return step in self._holders

    def acquire(self, step: UUID, limits: Iterable[SlotLimit]) -> None:
        """The step holds a slot of each limit from now on, whether there is room or not."""
        keys: list[str] = []
        for key, limit in limits:
            count, net = self._in_use.get(key, 0), self._net[key]
            if count < limit:
                self._most[key] = min(self._most.get(key, limit - 1 - net), limit - 1 - net)
            self._add(key, +1)
            keys.append(key)
        if keys:
            self._holders[step] = self._changed[step] = tuple(keys)

    def release(self, step: UUID) -> tuple[str, ...]:
        """The step holds no slots any more. Returns the keys of those that it held."""
        keys = self._holders.pop(step, ())
        for key in keys:
            self._add(key, -1)
        if keys:
            self._changed[step] = ()
        return keys

    def refresh(self, in_use: Mapping[str, int]) -> None:
        """What is stored of some keys, which others may have changed."""
        for key, count in in_use.items():
            self._in_use[key] = count + self._net.get(key, 0)

    def drain(self) -> SlotChanges:
        """What was changed since it was last asked."""
        freed = any(net < 0 for net in self._net.values())
        changes = SlotChanges(self._changed, self._most, freed)
        self._changed, self._most, self._net = {}, {}, defaultdict(int)
        return changes

    def _add(self, key: str, one: int) -> None:
        self._net[key] += one
        count = self._in_use.get(key, 0) + one
        if count > 0:
            self._in_use[key] = count
        else:
            self._in_use.pop(key, None)


class OlderWaiter(NamedTuple):
    """A step of another shard that waits for a slot of a limit."""

    key: str
    step_id: UUID
    sort_key: float


class ReservedSlots:
    """Those that a shard knows of, and to whom it has left a slot, since when."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[OlderWaiter]] = {}
        self._left: dict[UUID, datetime] = {}

    def set_waiters(self, waiters: Iterable[OlderWaiter], now: datetime) -> None:
        """Who waits elsewhere, the first first; whoever is not named does not wait any more."""
        self._waiters = {}
        for elder in waiters:
            self._waiters.setdefault(elder.key, []).append(elder)
        again = now - timedelta(seconds=AGAIN_SECONDS)
        self._left = {step: since for step, since in self._left.items() if since > again}

    def keeps(self, key: str, sort_key: float, free: int, now: datetime) -> bool:
        """Whether they leave nothing of the free slots to a step of that sort key."""
        before = sort_key - SLACK_SECONDS
        elders = [elder for elder in self._waiters.get(key, ()) if elder.sort_key < before]
        for elder in elders:
            if self._reserved(elders, now) >= free:
                break
            self._left.setdefault(elder.step_id, now)
        return bool(elders) and self._reserved(elders, now) >= free

    def _reserved(self, elders: Iterable[OlderWaiter], now: datetime) -> int:
        since = now - timedelta(seconds=RESERVED_SECONDS)
        return sum(self._left.get(elder.step_id, since) > since for elder in elders)
