"""Leases: how shards are shared among processes, and how long a worker may trust its own lease.

Shards. Every process decides for itself, from the same rows: which processes are there, and who
leads what. Shares differ by one at most. Processes with less than the smallest fair share take free
shards first, then the others do. If no shard is free, the process that leads most gives up what
others lack. A shard that none of those takes for some time may be taken by any process, so that no
shard is left without a leader because of the rule.

Workers. The deadline of a lease counts from when the renewal was *requested*, so that a slow reply
can shorten the trust in a lease but never extend it. It ends a margin before the database would
give the steps away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

LAST_24_BITS = (1 << 24) - 1


def shard_of(task_id: UUID, shards: int) -> int:
    """The shard of a task where there are `shards` of them, counted from 0.

    The last bits of a task's id are random. `flowledger.shard_of` has the same rule.
    """
    return (task_id.int & LAST_24_BITS) % shards


@dataclass(frozen=True, slots=True)
class ShardLease:
    """Who leads a shard. `seconds_left` is negative where the lease has run out: since when."""

    shard: int
    leader: UUID | None
    seconds_left: float

    @property
    def free(self) -> bool:
        """Whether anybody may lead."""
        return self.leader is None or self.seconds_left < 0


@dataclass(frozen=True, slots=True)
class Members:
    """Which coordinator processes are there, and who leads what.

    `shards` is how many shards there are to be; 0: no row of any says so. Those that no lease is of
    have no row, so that nobody can lead them. `silent_at`: when the first of the leases of workers
    runs out, where nobody renews it.
    """

    live: Collection[UUID]
    leases: Sequence[ShardLease]
    shards: int = 0
    silent_at: datetime | None = None

    @property
    def missing(self) -> frozenset[int]:
        """The shards that have no row."""
        return frozenset(range(self.shards)) - {lease.shard for lease in self.leases}


@dataclass(frozen=True, slots=True)
class Share:
    """What one process shall do: keep or ask for these shards, give up those."""

    lead: frozenset[int]
    resign: frozenset[int]


def assign_shards(me: UUID, attendance: Members, patience_seconds: float) -> Share:
    """What this process shall lead, of all shards and among all processes that are there.

    A shard that has been free for longer than the patience may be taken by any of them.
    """
    leases = attendance.leases
    processes = sorted({me, *attendance.live})
    least, rest = divmod(len(leases), len(processes))
    mine = sorted(lease.shard for lease in leases if lease.leader == me)
    free = [lease for lease in leases if lease.leader != me and lease.free]
    led = dict.fromkeys(processes, 0)
    for lease in leases:
        if lease.leader is not None and lease.leader in led and lease not in free:
            led[lease.leader] += 1
    lacking = sum(max(0, least - count) for count in led.values())
    beyond = sum(max(0, count - least - bool(rest)) for count in led.values())
    others_lack = lacking > max(0, least - led[me])
    most = least if others_lack or not rest else least + 1
    asked = _round_robin((x.shard for x in free), processes.index(me), len(processes))
    overdue = [lease.shard for lease in free if lease.seconds_left < -patience_seconds]
    given = _gifts(led, least, max(lacking, beyond) - len(free))[me]
    resigned = frozenset(mine[len(mine) - given :])
    wanted = {*mine, *asked[: max(0, most - len(mine))], *overdue}
    return Share(frozenset(wanted - resigned), resigned)


def _round_robin(shards: Iterable[int], rank: int, processes: int) -> list[int]:
    """The shards, first those that no process of another rank begins with."""
    return sorted(shards, key=lambda shard: (shard % processes != rank, shard))


def _gifts(led: Mapping[UUID, int], least: int, wanted: int) -> Counter[UUID]:
    """How many shards each process gives up, those that lead most first."""
    left = dict(led)
    gifts: Counter[UUID] = Counter()
    for _ in range(wanted):
        donor = max(left, key=lambda process: (left[process], process))
        if left[donor] > least:
            left[donor] -= 1
            gifts[donor] += 1
    return gifts


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLease:
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
