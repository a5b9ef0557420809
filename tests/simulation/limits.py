"""What is stored of limits in memory: who holds slots, how fast steps come, circuits, who waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from flowledger.engine.domain.limits.admission import LimitChanges, LimitState
from flowledger.engine.domain.limits.circuit_breaker import CircuitChanges, StoredCircuit
from flowledger.engine.domain.limits.concurrency_slots import SlotChanges
from flowledger.engine.domain.limits.wait_queue import Waiter
from flowledger.engine.errors import StreamMoved

KEPT = timedelta(minutes=1)


@dataclass(slots=True)
class StoredLimits:
    """The tables of limits. `in_use` is a count of `holders` that is kept beside them."""

    in_use: dict[str, int] = field(default_factory=dict[str, int])
    holders: dict[UUID, set[str]] = field(default_factory=dict[UUID, set[str]])
    expected: dict[str, datetime] = field(default_factory=dict[str, datetime])
    circuits: dict[str, StoredCircuit] = field(default_factory=dict[str, StoredCircuit])
    waiters: dict[UUID, Waiter] = field(default_factory=dict[UUID, Waiter])
    paused: set[UUID] = field(default_factory=set[UUID])

    def state(self, now: datetime, is_mine: Callable[[UUID], bool]) -> LimitState:
        """What a coordinator must know when it begins; forgets rates that hold nobody back."""
        self.expected = {key: at for key, at in self.expected.items() if at >= now - KEPT}
        waiters = [waiter for waiter in self.waiters.values() if is_mine(waiter.task_id)]
        return LimitState(
            in_use=dict(self.in_use),
            holders={step: tuple(sorted(keys)) for step, keys in self.holders.items()},
            expected=dict(self.expected),
            circuits=tuple(self.circuits.values()),
            paused=frozenset(self.paused),
            waiters=tuple(sorted(waiters, key=lambda waiter: (waiter.sort_key, waiter.since))),
        )

    def check(self, changes: LimitChanges) -> None:
        """Raises StreamMoved where another shard was first to a limit."""
        for key, more in self._net(changes.slots).items():
            most = changes.slots.max_before.get(key)
            if more > 0 and most is not None and key in self.in_use and self.in_use[key] > most:
                raise StreamMoved(f"more than {most} slots of {key} are in use")
        for key, arrival in changes.rates.items():
            stored = self.expected.get(key)
            known = (stored, arrival.old)
            # A time that had passed held nobody back, and is as good as none.
            if stored != arrival.old and any(one and one > arrival.at for one in known):
                raise StreamMoved(f"the rate of {key} moved")
        for system, revision in changes.circuits.expected_revisions.items():
            if self._revision(system) != revision:
                raise StreamMoved(f"the circuit of {system} changed")

    def store(self, changes: LimitChanges) -> bool:
        """Store what `check` let through. Returns whether others may have waited for it."""
        for step in changes.gone:
            self.waiters.pop(step, None)
        self.waiters.update({waiter.step_id: waiter for waiter in changes.waiters})
        freed = self._set_slots(changes.slots)
        self.expected.update({key: arrival.new for key, arrival in changes.rates.items()})
        self._store_circuits(changes.circuits)
        awaited = any(waiter.wait.key in freed for waiter in self.waiters.values())
        return awaited or bool(changes.circuits.changed)

    def room(self, keys: Sequence[str]) -> tuple[dict[str, int], list[StoredCircuit]]:
        """How many slots of these keys are in use, 0 included, and every circuit."""
        return {key: self.in_use.get(key, 0) for key in keys}, list(self.circuits.values())

    def _net(self, slots: SlotChanges) -> Counter[str]:
        net: Counter[str] = Counter()
        for step, keys in slots.holders.items():
            before = self.holders.get(step, set())
            net.update(set(keys) - before)
            net.subtract(before - set(keys))
        return net

    def _set_slots(self, slots: SlotChanges) -> Collection[str]:
        net = self._net(slots)
        for step, keys in slots.holders.items():
            if keys:
                self.holders[step] = set(keys)
            else:
                self.holders.pop(step, None)
        for key, more in net.items():
            count = self.in_use.get(key, 0) + more
            if count:
                self.in_use[key] = count
            else:
                self.in_use.pop(key, None)
        return {key for key, more in net.items() if more < 0}

    def _store_circuits(self, circuits: CircuitChanges) -> None:
        for circuit in circuits.changed:
            revision = self._revision(circuit.system) + 1
            self.circuits[circuit.system] = StoredCircuit(circuit, revision)

    def _revision(self, system: str) -> int:
        return self.circuits[system].revision if system in self.circuits else 0
