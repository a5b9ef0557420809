"""Shares shards among processes: which of them this process leads, and the coordinators that do so.

Who owns what
-------------

Each shard's row has a lease and an epoch; whoever holds them is the shard's one coordinator. Each
process also has a row of its own with a lease, which says only that it is there to take its share.
A commit renews the lease of its shard. Each look here renews the leases of all shards that this
process leads, so that none expires while its loop is busy. A loop whose work failed does not lead
again before it has asked for the lease, so that a healthier process may take the shard.

One look
--------

1. Renew the process's row, and the leases of the shards that it leads.
2. Read which processes are there and how long each lease still holds.
3. Compute the fair share: a pure rule, with the same result in every process.
4. Tell the coordinator of each shard whether it is to lead.

The coordinators do the rest. One that is to lead asks for the lease; one that is no longer to lead
finishes the commit that is under way and resigns. A coordinator is made when this process is first
to lead its shard, and is kept.

What can go wrong
-----------------

- A leader dies: its lease expires. Standbys have read when that will be and look right after that
  moment, so that nobody asks earlier. The process whose share it is takes over, and after
  `lease_seconds / 3` any process.
- A loop waits long for the database, or has much to do: the leases are renewed from here.
- A leader is suspended for a while and wakes up: the epoch refuses its commit, and it is a standby.
- A process shuts down: it deletes its own row first, then resigns its shards, each with a
  notification.
- Two processes see different rows: at worst both ask for one lease, which only one gets, or two
  shards change hands where one would do. The next look is at most `lease_seconds` away, and half of
  that where one of them leads.
- The row of a shard is gone: nobody can lead it until a repair makes it again; the others go on.
- The number of shards is changed: every leader loses its epoch, and the coordinators are made anew.
  One that still uses the old number gets no lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from flowledger.engine.config.sections import CoordinatorSettings
from flowledger.engine.domain.shard_assignment import ShardLease, assign_shards, shard_of
from flowledger.engine.events.base import StepEvent
from flowledger.engine.ports.clock_and_wakeup import Wakeup
from flowledger.engine.ports.coordinator import ShardStore, WorkerPart
from flowledger.engine.ports.worker import Exchange
from flowledger.engine.runtime.coordinator.joint_rounds import JointCoordinator
from flowledger.engine.runtime.coordinator.should_lead_shard import PARTS_OF_LEASE, WantedShard
from flowledger.engine.runtime.loop import Loop
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Health, OutageLog, Outages

MOMENT = 0.03
"""Seconds after which a lease that was to run out has run out by all clocks, and one that was to be
renewed just then has been.
"""

LOOKS_IN_LEASE = 2
"""So often does a process that leads renew its leases, and look, before they run out."""

STANDBY_LEASES = 2
"""For so many leases is a process there that leads nothing and says so once in a lease."""


@dataclass(frozen=True, slots=True)
class ShardLoop:
    """The coordinator of one shard in this process, and the loop that runs it."""

    coordinator: JointCoordinator
    assignment: WantedShard
    wakeup: Wakeup
    loop: Loop


class Shards:
    """A loop cut into steps, beside which a loop runs for each shard that was ever wanted here."""

    def __init__(
        self,
        *,
        roster: ShardStore,
        identity: UUID,
        settings: CoordinatorSettings,
        new: Callable[[WantedShard, int], tuple[JointCoordinator, Wakeup]],
        new_loop: Callable[[str, Callable[[frozenset[str]], float], Wakeup, OutageLog], Loop],
    ) -> None:
        """`new` makes the coordinator of a shard, of so many, and the wakeup that wakes it."""
        self._roster = roster
        self._identity = identity
        self._settings = settings
        self._new = new
        self._new_loop = new_loop
        self.telling = OutageLog("coordinator")
        self._led: dict[int, ShardLoop] = {}
        self._count = 0
        self._missing: frozenset[int] = frozenset()
        self._attends = self._leads = False
        self._log = logger("coordinator")

    @property
    def outages(self) -> Mapping[str, Outages]:
        """How each shard's loop fares, by its name."""
        return {led.loop.name: led.loop.outages for led in list(self._led.values())}

    @property
    def parked(self) -> Health:
        """Well if no task of the shards that this process leads is parked."""
        found = [
            one for led in list(self._led.values()) for one in dict(led.coordinator.parked).items()
        ]
        if not found:
            return Health()
        first, why = found[0]
        error = (
            f"{len(found)} parked, which `flowledger parked` shows; among them task {first}:"
            f" {why or 'it is about to be tried again'}"
        )
        return Health(error=error)

    def step(self, woken_by: frozenset[str] = frozenset()) -> float:
        """Look who is there, and have the fair share led; the seconds until the next look.

        Raises DatabaseUnavailable; the loops of the shards go on as they were told before.
        """
        lease_seconds = self._settings.lease_seconds
        began = monotonic()
        led = [shard for shard, one in self._led.items() if one.coordinator.leads]
        attendance = self._roster.heartbeat(
            self._identity,
            lease_seconds,
            led,
            there_seconds=lease_seconds * (1 if self._leads else STANDBY_LEASES),
            every=lease_seconds / LOOKS_IN_LEASE,
        )
        self._attends = True
        self._count_is(attendance.shards or self._count)  # where all rows are gone, as it was
        self._tell_missing(
            attendance.missing if attendance.shards else frozenset(range(self._count))
        )
        patience = lease_seconds / PARTS_OF_LEASE
        share = assign_shards(self._identity, attendance, patience)
        for shard in self._led.keys() | share.lead:
            self._tell(shard, wanted=shard in share.lead)
        if share.resign:
            self._log.emit(Signal.COORDINATOR_REBALANCED, shards=sorted(share.resign))
        self._leads = bool(share.lead)
        for one in self._led.values():
            if one.coordinator.workers_are_there_until(attendance.silent_at):
                one.wakeup.notify("silence")
        every = lease_seconds / LOOKS_IN_LEASE if share.lead else lease_seconds
        wait = next_look(self._identity, attendance.leases, every, patience)
        return max(0.0, wait - (monotonic() - began))

    @property
    def leading(self) -> Sequence[int]:
        """The shards that are led here right now. For any thread."""
        return [shard for shard, led in list(self._led.items()) if led.coordinator.leads]

    def of_shards(self, facts: Sequence[StepEvent]) -> Sequence[Sequence[StepEvent]]:
        """The facts of shards that are led here, those of each together."""
        found: dict[int, list[StepEvent]] = {}
        for fact in facts:
            found.setdefault(self._shard_of(fact.task_id), []).append(fact)
        leading = self.leading
        return [of_shard for shard, of_shard in found.items() if shard in leading]

    def join(self, part: WorkerPart) -> Exchange | None:
        """Have the coordinator that leads the shard of the facts take them; None: none does."""
        shard = self._shard_of(part.facts[0].task_id)
        led = self._led.get(shard)
        exchange = led.coordinator.join(part) if led is not None else None
        if exchange is not None and self._count > 1:
            tasks = (claim.task_id for claim in exchange.claims)
            self.went_apart(task for task in tasks if self._shard_of(task) != shard)
        return exchange

    def went_apart(self, tasks: Iterable[UUID]) -> None:
        """Steps of these were reported or claimed without a coordinator of this process."""
        for shard in {self._shard_of(task) for task in tasks}:
            if (led := self._led.get(shard)) is not None:
                led.coordinator.went_apart()

    def _shard_of(self, task: UUID) -> int:
        return shard_of(task, self._count or 1)  # before the first look nothing is led

    def resign(self) -> None:
        """Give up every shard, so that others can lead at once."""
        try:
            if self._attends:
                self._attends = False
                self._roster.deregister(self._identity)
        finally:
            self._end()

    def close(self) -> None:
        """Commit nothing any more; loops that are still busy end when they can."""
        for led in self._led.values():
            led.loop.stop(0)
            led.coordinator.close()

    def _count_is(self, count: int) -> None:
        if count == self._count:
            return
        if self._led:
            self._log.emit(Signal.COORDINATOR_SHARDS_CHANGED, before=self._count, now=count)
            self._end()
            self.close()
            self._led.clear()
        self._count = count

    def _tell_missing(self, missing: frozenset[int]) -> None:
        if missing - self._missing:
            self._log.emit(Signal.COORDINATOR_SHARDS_MISSING, shards=sorted(missing))
        self._missing = missing

    def _end(self) -> None:
        """Stop the loops, and give up what they lead."""
        for led in self._led.values():
            led.loop.stop(0)
        for led in self._led.values():
            led.loop.stop()
            led.coordinator.resign()

    def _tell(self, shard: int, *, wanted: bool) -> None:
        led = self._led.get(shard)
        if led is None:
            led = self._led[shard] = self._made(shard)
        if led.assignment.wanted is not wanted:
            led.assignment.assign(wanted=wanted)
            led.wakeup.notify("shard")

    def _made(self, shard: int) -> ShardLoop:
        seat = WantedShard(shard)
        coordinator, wakeup = self._new(seat, self._count)
        name = "coordinator" if self._count == 1 else f"coordinator-{shard}"
        loop = self._new_loop(name, coordinator.step, wakeup, self.telling)
        loop.start()
        return ShardLoop(coordinator, seat, wakeup, loop)


def next_look(
    process: UUID, leases: Sequence[ShardLease], every: float, patience_seconds: float
) -> float:
    """Seconds until something may have changed: a lease of another runs out, or is overdue.

    At most as many as one looks `every`.
    """
    moments = [
        lease.seconds_left + (patience_seconds if lease.free else 0.0)
        for lease in leases
        if lease.leader != process
    ]
    return min([every, *(moment + MOMENT for moment in moments if moment > 0)])
