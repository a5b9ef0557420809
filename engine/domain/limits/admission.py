"""Admission control: grants a ready step all of its limits at once, or lets it wait.

An `AdmissionControl` is mutable and has one owner, the coordinator of a shard. A grant is recorded
at once, so that the next step finds less room. For a batch of facts it is used in this order:
`record_outcome` of attempts that ended, `admit` each step that is ready, `sync` the slots of the
touched steps, `admissible` for waiting steps that can go now, `drain` for what the transaction
stores. If the transaction is refused, because another shard was first, the state of the limits is
loaded again and everything is decided again.

Steps are granted in order: if a step waits for a key, a new step for that key waits behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.limits.circuit_breaker import (
    CircuitChanges,
    CircuitRules,
    Circuits,
    CircuitState,
    StoredCircuit,
)
from flowledger.engine.domain.limits.concurrency_slots import (
    RESERVED_SECONDS,
    OlderWaiter,
    ReservedSlots,
    SlotChanges,
    Slots,
)
from flowledger.engine.domain.limits.demand import Demand, demand_of
from flowledger.engine.domain.limits.rate_limit import RateChange, Rates
from flowledger.engine.domain.limits.wait_queue import (
    Waiter,
    WaitKey,
    WaitQueue,
    WaitQueues,
    share_of,
)
from flowledger.engine.domain.machine.queue_order import wait_sort_key
from flowledger.engine.domain.machine.task_run import BUSY, TaskRun, Wait
from flowledger.engine.events.base import Event, StepEvent
from flowledger.engine.events.template import TemplatePaused, TemplateResumed

HORIZON = 32  # waiting steps of a line, beyond which nobody looks for those of other shards


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """What the configuration says: most steps at once of namespaces, when circuits open.

    `priority_ageing_seconds` of waiting are a point of priority; `weights` are of fairness keys.
    """

    namespaces: Mapping[str, int]
    circuit: CircuitRules
    priority_ageing_seconds: float
    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """What is stored: of the whole engine, but for the waiters, which are the shard's."""

    in_use: Mapping[str, int]
    holders: Mapping[UUID, tuple[str, ...]]
    expected: Mapping[str, datetime]
    circuits: tuple[StoredCircuit, ...]
    paused: frozenset[UUID]
    waiters: tuple[Waiter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanges:
    """What a transaction stores of limits. `gone` are the steps that wait no more."""

    slots: SlotChanges
    rates: Mapping[str, RateChange]
    circuits: CircuitChanges
    waiters: tuple[Waiter, ...]
    gone: tuple[UUID, ...]

    def __bool__(self) -> bool:
        limits = self.slots.holders or self.rates or self.waiters or self.gone
        return bool(limits or self.circuits.changed or self.circuits.expected_revisions)

    @property
    def makes_room(self) -> bool:
        """Whether steps of other shards may have waited for it."""
        return self.slots.freed or bool(self.circuits.changed)


class AdmissionControl:
    """The limits of the engine as one shard knows them, and the shard's waiting steps."""

    def __init__(self, rules: AdmissionRules, state: LimitState) -> None:
        self._rules = rules
        self._slots = Slots(state.in_use, state.holders)
        self._rates = Rates(state.expected)
        self._circuits = Circuits(state.circuits, rules.circuit)
        self._paused = set(state.paused)
        self._queues = WaitQueues()
        self._reserved = ReservedSlots()
        self._open: dict[WaitKey, None] = {}  # as a set, in an order that a replay repeats
        self._alarms: list[tuple[datetime, WaitKey]] = []
        self._alarmed: dict[WaitKey, datetime] = {}
        self._withdrawals: dict[WaitKey, bool] = {}  # whether one has looked there already
        self._stored = {waiter.step_id for waiter in state.waiters}
        self._moved: dict[UUID, None] = {}
        self._admitting: UUID | None = None
        for waiter in state.waiters:
            self._queues.join(waiter)
        self._open.update(dict.fromkeys(self._queues.keys))
        self._withdrawals.update(
            (WaitKey("template", str(one)), False) for one in sorted(self._paused)
        )
        self._withdraw_from(kept.circuit.system for kept in state.circuits)

    @property
    def next_at(self) -> datetime | None:
        """When somebody may go although nothing happens."""
        return self._alarms[0][0] if self._alarms else None

    @property
    def open(self) -> bool:
        """Whether somebody may go now."""
        return bool(self._open)

    @property
    def awaited_keys(self) -> list[str]:
        """The keys of slots that somebody waits for."""
        return [place.key for place in self._queues.keys if place.kind == "slot"]

    @property
    def horizons(self) -> dict[str, float]:
        """By key, up to which turn some of those who wait for a slot may soon get one."""
        firsts = ((place, self._queues.first(place)) for place in self._queues.keys)
        return {
            place.key: max(sort_key for sort_key, *_ in line.heap[:HORIZON])
            for place, line in firsts
            if line is not None and place.kind == "slot"
        }

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(len(self._queues))

    @property
    def watches(self) -> bool:
        """Whether anything here depends on what other shards do."""
        return self.awaited or self._circuits.used

    @property
    def unsaved(self) -> bool:
        """Whether a step began to wait, or stopped, that the next transaction is to store."""
        return bool(self._moved)

    @property
    def must_withdraw(self) -> bool:
        """Whether steps may be queued that are to wait now."""
        return bool(self._withdrawals)

    def to_withdraw(self, now: datetime) -> tuple[list[UUID], list[str]]:
        """The templates and the systems of which steps may be queued that are to wait now.

        What opens again meanwhile is none any more: a step would be taken out and put in for ever.
        """
        for place in list(self._withdrawals):
            if not self._is_shut(place, now):
                del self._withdrawals[place]
        places = list(self._withdrawals)
        templates = [UUID(place.key) for place in places if place.kind == "template"]
        return templates, [place.key for place in places if place.kind == "circuit"]

    def withdrawals_done(self) -> None:
        """There are no more in the queue. What this transaction queues is looked for next time."""
        self._withdrawals = {
            place: True for place, looked in self._withdrawals.items() if not looked
        }

    def admit(self, run: TaskRun, number: int, now: datetime) -> Wait | None:
        """Grant the step all that it needs, or say what holds it; it waits then."""
        plan = run.plan
        if number not in plan.limited and not (self._paused and plan.template_id in self._paused):
            return None
        name = plan.steps[number].name
        step = step_id(run.task_id, name)
        demand = demand_of(plan, number, run.context, self._rules.namespaces)
        self._leave_queue(step, demand.system)
        called, self._admitting = self._admitting == step, None
        wait = self._obstacle(demand, now) or (None if called else self._ahead(demand))
        if wait is None:
            self._acquire(step, demand, now)
            return None
        sort_key = wait_sort_key(run, now, self._rules.priority_ageing_seconds)
        share = share_of(run, self._rules.weights)
        self._join(Waiter(sort_key, step, run.task_id, name, now, wait, demand, share))
        return wait

    def obstacles(self, demand: Demand, now: datetime) -> list[Wait]:
        """Everything that keeps such a step waiting now; `admit` is content with the first."""
        nothing = Demand(demand.template_id, None, (), ())
        if nothing.template_id in self._paused:
            return [Wait("template", str(nothing.template_id))]
        parts = [nothing._replace(system=demand.system)]
        parts += [nothing._replace(slots=(limit,)) for limit in demand.slots]
        parts += [nothing._replace(rates=(limit,)) for limit in demand.rates]
        holds = (self._obstacle(part, now) for part in parts)
        return [wait for wait in holds if wait is not None]

    def restore(self, run: TaskRun) -> None:
        """Tell a run that was folded anew which of its steps wait."""
        for waiter in self._queues.of_task(run.task_id):
            number = run.plan.numbers[waiter.step]
            if run.may_wait(number):
                run.begin_wait(number, waiter.wait)

    def record_outcome(self, run: TaskRun, event: StepEvent, now: datetime) -> None:
        """Something became of an attempt."""
        system = run.plan.steps[run.plan.numbers[event.step]].system
        if system is not None and self._circuits.after_outcome(system, event, now) is not None:
            self._open[WaitKey("circuit", system)] = None
            self._withdraw_from([system])

    def record_template_event(self, event: Event) -> None:
        """A template was paused or resumed."""
        if isinstance(event, TemplatePaused):
            self._paused.add(event.originator_id)
            self._withdrawals[WaitKey("template", str(event.originator_id))] = False
        elif isinstance(event, TemplateResumed):
            self._paused.discard(event.originator_id)
            self._open[WaitKey("template", str(event.originator_id))] = None

    def sync(self, run: TaskRun, numbers: Iterable[int]) -> None:
        """Bring what these steps hold, and whether they wait, in line with where they stand."""
        for number in numbers:
            template = run.plan.steps[number]
            step = step_id(run.task_id, template.name)
            if run.steps[number].state not in BUSY:
                self._leave_queue(step, template.system)
            elif number in run.plan.limited and not self._slots.holds(step):
                demand = demand_of(run.plan, number, run.context, self._rules.namespaces)
                self._slots.acquire(step, demand.slots)
            waiter = self._queues.waiter(step)
            if waiter is not None and number not in run.waiting:
                self._stop_waiting(waiter)

    def ended(self, run: TaskRun) -> None:
        """The task has ended: none of its steps waits any more."""
        for waiter in self._queues.of_task(run.task_id):
            self._stop_waiting(waiter)

    def admissible(self, now: datetime) -> Iterator[Waiter]:
        """Those who can go now, by sort key at each place; each must be asked about before the
        next.

        Whoever stops asking finds the others when he asks again.
        """
        while self._alarms and self._alarms[0][0] <= now:
            _, place = heappop(self._alarms)
            self._alarmed.pop(place, None)
            self._open[place] = None
        while self._open:
            place = next(reversed(self._open))
            while (line := self._queues.first(place)) is not None:
                wait = self._obstacle(line.demand, now)
                if wait is None and self._is_left(place, line, now):
                    self._set_alarm(Wait(*place, now + timedelta(seconds=RESERVED_SECONDS)))
                    break
                if wait is None:
                    waiter = self._queues.take_first(line)
                    self._moved[waiter.step_id] = None
                    self._admitting = waiter.step_id
                    yield waiter
                    self._admitting = None
                elif WaitKey(wait.kind, wait.key) == place:
                    self._set_alarm(wait)
                    break
                else:
                    self._set_alarm(wait)
                    self._queues.move(line, WaitKey(wait.kind, wait.key))
            self._open.pop(place, None)

    def refresh(self, in_use: Mapping[str, int], circuits: Iterable[StoredCircuit]) -> None:
        """What is stored of the keys that are awaited and of circuits: others may have moved it."""
        self._slots.refresh(in_use)
        self._open.update((WaitKey("slot", key), None) for key in in_use)
        moved = self._circuits.refresh(circuits)
        self._open.update((WaitKey("circuit", system), None) for system in moved)
        self._withdraw_from(moved)

    def set_older_waiters(self, waiters: Iterable[OlderWaiter], now: datetime) -> None:
        """Who waits in other shards, and has waited longer than the first here."""
        self._reserved.set_waiters(waiters, now)

    @property
    def paced(self) -> int:
        """How many keys of rates are remembered."""
        return len(self._rates)

    def forget_idle_rates(self, now: datetime) -> None:
        """Forget what holds nobody back any more."""
        self._rates.forget(now)

    def drain(self) -> LimitChanges:
        """What was changed since it was last asked."""
        moved = {step: self._queues.waiter(step) for step in sorted(self._moved)}
        waiters = tuple(waiter for waiter in moved.values() if waiter is not None)
        gone = tuple(step for step, waiter in moved.items() if waiter is None)
        gone = tuple(step for step in gone if step in self._stored)
        self._stored.difference_update(gone)
        self._stored.update(waiter.step_id for waiter in waiters)
        self._moved = {}
        return LimitChanges(
            slots=self._slots.drain(),
            rates=self._rates.drain(),
            circuits=self._circuits.drain(),
            waiters=waiters,
            gone=gone,
        )

    def _is_left(self, place: WaitKey, line: WaitQueue, now: datetime) -> bool:
        """Whether what is free at a place is left to those who have waited longer elsewhere."""
        limit = next((one for one in line.demand.slots if one.key == place.key), None)
        if place.kind != "slot" or limit is None:
            return False
        return self._reserved.keeps(place.key, line.heap[0][0], self._slots.available(limit), now)

    def _is_shut(self, place: WaitKey, now: datetime) -> bool:
        if place.kind == "template":
            return UUID(place.key) in self._paused
        is_open = self._circuits.of(place.key).state is CircuitState.OPEN
        return is_open and self._circuits.shut(place.key, now)

    def _withdraw_from(self, systems: Iterable[str]) -> None:
        opened = (one for one in systems if self._circuits.of(one).state is CircuitState.OPEN)
        self._withdrawals.update((WaitKey("circuit", system), False) for system in opened)

    def _obstacle(self, demand: Demand, now: datetime) -> Wait | None:
        if demand.template_id in self._paused:
            return Wait("template", str(demand.template_id))
        system = demand.system
        if system is not None and self._circuits.shut(system, now):
            return Wait("circuit", system, self._circuits.of(system).open_until)
        full = self._slots.full(demand.slots)
        if full is not None:
            return Wait("slot", full.key)
        early = self._rates.blocked_until(demand.rates, now)
        return None if early is None else Wait("rate", early[0].key, early[1])

    def _ahead(self, demand: Demand) -> Wait | None:
        """Who waits for the same, and could go now, goes first."""
        places = [WaitKey("slot", key) for key, _ in demand.slots]
        places += [WaitKey("rate", limit.key) for limit in demand.rates]
        if demand.system is not None:
            places.append(WaitKey("circuit", demand.system))
        for place in places:
            if self._queues.is_awaited(place):
                self._open[place] = None
                return Wait(place.kind, place.key)
        return None

    def _acquire(self, step: UUID, demand: Demand, now: datetime) -> None:
        self._slots.acquire(step, demand.slots)
        self._rates.spend(demand.rates, now)
        if demand.system is not None:
            self._circuits.let_through(demand.system, step, now)

    def _join(self, waiter: Waiter) -> None:
        self._queues.join(waiter)
        self._moved[waiter.step_id] = None
        self._set_alarm(waiter.wait)

    def _stop_waiting(self, waiter: Waiter) -> None:
        self._queues.leave(waiter)
        self._moved[waiter.step_id] = None

    def _leave_queue(self, step: UUID, system: str | None) -> None:
        for key in self._slots.release(step):
            self._open[WaitKey("slot", key)] = None
        if system is not None and self._circuits.step_left(system, step):
            self._open[WaitKey("circuit", system)] = None

    def _set_alarm(self, wait: Wait) -> None:
        if wait.until is None:
            return
        place = WaitKey(wait.kind, wait.key)
        earliest = self._alarmed.get(place)
        if earliest is None or wait.until < earliest:
            self._alarmed[place] = wait.until
            heappush(self._alarms, (wait.until, place))
