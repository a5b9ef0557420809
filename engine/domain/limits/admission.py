"""The gate before the queue: asks for every limit at once, and keeps who must wait.

A gate is mutable as a run is, and has one owner, the coordinator of a shard. What it grants it has
taken, so that whoever is asked about next finds less. In a batch of facts it is used in this order:
`saw` what became of attempts, `admit` each step that is ready, `sync` what the touched steps hold,
`called` for those that can go now, `drain` for what the transaction stores. Where the transaction
is refused, because another shard was first, the gate is loaded anew and all is decided again.

Nothing is granted out of turn: where somebody waits for a key, a new step waits behind him.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from uuid import UUID

from flowledger.engine.domain.ids import EPOCH, step_id
from flowledger.engine.domain.limits.circuit_breaker import (
    CircuitChanges,
    CircuitRules,
    Circuits,
    CircuitState,
    StoredCircuit,
)
from flowledger.engine.domain.limits.concurrency import (
    LEFT_SECONDS,
    OlderWaiter,
    ReservedSlots,
    SlotChanges,
    Slots,
)
from flowledger.engine.domain.limits.demand import Demand, demand_of
from flowledger.engine.domain.limits.rate_limit import RateChange, Rates
from flowledger.engine.domain.limits.wait_queue import Waiter, WaitKey, WaitQueue, WaitQueues
from flowledger.engine.domain.machine.task_run import BUSY, TaskRun, Wait
from flowledger.engine.events.base import Event, StepEvent
from flowledger.engine.events.template import TemplatePaused, TemplateResumed

HORIZON = 32  # waiting steps of a line, beyond which nobody looks for those of other shards


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """What the configuration says: most steps at once of namespaces, when circuits open.

    `priority_ageing_seconds` of waiting weigh as much as a point of priority.
    """

    namespaces: Mapping[str, int]
    circuit: CircuitRules
    priority_ageing_seconds: float


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
        changes = (self.slots.holders, self.rates, self.circuits.changed, self.circuits.relied)
        return any(changes) or bool(self.waiters or self.gone)

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
        self._room = WaitQueues()
        self._elders = ReservedSlots()
        self._open: dict[WaitKey, None] = {}  # as a set, in an order that a replay repeats
        self._alarms: list[tuple[datetime, WaitKey]] = []
        self._alarmed: dict[WaitKey, datetime] = {}
        self._recalls: dict[WaitKey, bool] = {}  # whether one has looked there already
        self._stored = {waiter.step_id for waiter in state.waiters}
        self._moved: dict[UUID, None] = {}
        self._called: UUID | None = None
        for waiter in state.waiters:
            self._room.join(waiter)
        self._open.update(dict.fromkeys(self._room.places))
        self._recalls.update((WaitKey("template", str(one)), False) for one in sorted(self._paused))
        self._recall(kept.circuit.system for kept in state.circuits)

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
        return [place.key for place in self._room.places if place.kind == "slot"]

    @property
    def horizons(self) -> dict[str, float]:
        """By key, up to which turn some of those who wait for a slot may soon get one."""
        firsts = ((place, self._room.first(place)) for place in self._room.places)
        return {
            place.key: max(sort_key for sort_key, *_ in line.heap[:HORIZON])
            for place, line in firsts
            if line is not None and place.kind == "slot"
        }

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(len(self._room))

    @property
    def watches(self) -> bool:
        """Whether anything here depends on what other shards do."""
        return self.awaited or self._circuits.used

    @property
    def unsaved(self) -> bool:
        """Whether a step began to wait, or stopped, that the next transaction is to store."""
        return bool(self._moved)

    @property
    def recalls(self) -> bool:
        """Whether steps may be queued that are to wait now."""
        return bool(self._recalls)

    def recalling(self, now: datetime) -> tuple[list[UUID], list[str]]:
        """The templates and the systems of which steps may be queued that are to wait now.

        What opens again meanwhile is none any more: a step would be taken out and put in for ever.
        """
        for place in list(self._recalls):
            if not self._is_shut(place, now):
                del self._recalls[place]
        places = list(self._recalls)
        templates = [UUID(place.key) for place in places if place.kind == "template"]
        return templates, [place.key for place in places if place.kind == "circuit"]

    def recalled(self) -> None:
        """There are no more in the queue. What this transaction queues is looked for next time."""
        self._recalls = {place: True for place, looked in self._recalls.items() if not looked}

    def admit(self, run: TaskRun, number: int, now: datetime) -> Wait | None:
        """Grant the step all that it needs, or say what holds it; it waits then."""
        plan = run.plan
        if number not in plan.limited and not (self._paused and plan.template_id in self._paused):
            return None
        step = step_id(run.task_id, run.plan.steps[number].name)
        demand = demand_of(run.plan, number, run.context, self._rules.namespaces)
        self._leave_queue(step, demand.system)
        called, self._called = self._called == step, None
        hold = self._obstacle(demand, now) or (None if called else self._ahead(demand))
        if hold is None:
            self._take(step, demand, now)
        else:
            sort_key = (
                now - EPOCH
            ).total_seconds() - run.priority * self._rules.priority_ageing_seconds
            name = run.plan.steps[number].name
            self._join(Waiter(sort_key, step, run.task_id, name, now, hold, demand))
        return hold

    def obstacles(self, demand: Demand, now: datetime) -> list[Wait]:
        """Everything that keeps such a step waiting now; `admit` is content with the first."""
        nothing = Demand(demand.template_id, None, (), ())
        if nothing.template_id in self._paused:
            return [Wait("template", str(nothing.template_id))]
        parts = [nothing._replace(system=demand.system)]
        parts += [nothing._replace(slots=(limit,)) for limit in demand.slots]
        parts += [nothing._replace(rates=(limit,)) for limit in demand.rates]
        holds = (self._obstacle(part, now) for part in parts)
        return [hold for hold in holds if hold is not None]

    def restore(self, run: TaskRun) -> None:
        """Tell a run that was folded anew which of its steps wait."""
        for waiter in self._room.of_task(run.task_id):
            number = run.plan.numbers[waiter.step]
            if run.may_be_held(number):
                run.hold(number, waiter.hold)

    def saw(self, run: TaskRun, event: StepEvent, now: datetime) -> None:
        """Something became of an attempt."""
        system = run.plan.steps[run.plan.numbers[event.step]].system
        if system is not None and self._circuits.heard(system, event, now) is not None:
            self._open[WaitKey("circuit", system)] = None
            self._recall([system])

    def told(self, event: Event) -> None:
        """A template was paused or resumed."""
        if isinstance(event, TemplatePaused):
            self._paused.add(event.originator_id)
            self._recalls[WaitKey("template", str(event.originator_id))] = False
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
                self._slots.take(step, demand.slots)
            waiter = self._room.waiter(step)
            if waiter is not None and number not in run.held:
                self._leave_room(waiter)

    def ended(self, run: TaskRun) -> None:
        """The task has ended: none of its steps waits any more."""
        for waiter in self._room.of_task(run.task_id):
            self._leave_room(waiter)

    def called(self, now: datetime) -> Iterator[Waiter]:
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
            while (line := self._room.first(place)) is not None:
                hold = self._obstacle(line.demand, now)
                if hold is None and self._is_left(place, line, now):
                    self._set_alarm(Wait(*place, now + timedelta(seconds=LEFT_SECONDS)))
                    break
                if hold is None:
                    waiter = self._room.call(line)
                    self._moved[waiter.step_id] = None
                    self._called = waiter.step_id
                    yield waiter
                    self._called = None
                elif WaitKey(hold.kind, hold.key) == place:
                    self._set_alarm(hold)
                    break
                else:
                    self._set_alarm(hold)
                    self._room.move(line, WaitKey(hold.kind, hold.key))
            self._open.pop(place, None)

    def refresh(self, in_use: Mapping[str, int], circuits: Iterable[StoredCircuit]) -> None:
        """What is stored of the keys that are awaited and of circuits: others may have moved it."""
        self._slots.refresh(in_use)
        self._open.update((WaitKey("slot", key), None) for key in in_use)
        moved = self._circuits.refresh(circuits)
        self._open.update((WaitKey("circuit", system), None) for system in moved)
        self._recall(moved)

    def know(self, elders: Iterable[OlderWaiter], now: datetime) -> None:
        """Who waits in other shards, and has waited longer than the first here."""
        self._elders.know(elders, now)

    @property
    def paced(self) -> int:
        """How many keys of rates are remembered."""
        return len(self._rates)

    def tidy(self, now: datetime) -> None:
        """Forget what holds nobody back any more."""
        self._rates.forget(now)

    def drain(self) -> LimitChanges:
        """What was changed since it was last asked."""
        moved = {step: self._room.waiter(step) for step in sorted(self._moved)}
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
        return self._elders.take(place.key, line.heap[0][0], self._slots.free_of(limit), now)

    def _is_shut(self, place: WaitKey, now: datetime) -> bool:
        if place.kind == "template":
            return UUID(place.key) in self._paused
        is_open = self._circuits.of(place.key).state is CircuitState.OPEN
        return is_open and self._circuits.shut(place.key, now)

    def _recall(self, systems: Iterable[str]) -> None:
        opened = (one for one in systems if self._circuits.of(one).state is CircuitState.OPEN)
        self._recalls.update((WaitKey("circuit", system), False) for system in opened)

    def _obstacle(self, demand: Demand, now: datetime) -> Wait | None:
        if demand.template_id in self._paused:
            return Wait("template", str(demand.template_id))
        system = demand.system
        if system is not None and self._circuits.shut(system, now):
            return Wait("circuit", system, self._circuits.of(system).open_until)
        full = self._slots.full(demand.slots)
        if full is not None:
            return Wait("slot", full.key)
        early = self._rates.wait(demand.rates, now)
        return None if early is None else Wait("rate", early[0].key, early[1])

    def _ahead(self, demand: Demand) -> Wait | None:
        """Who waits for the same, and could go now, goes first."""
        places = [WaitKey("slot", key) for key, _ in demand.slots]
        places += [WaitKey("rate", limit.key) for limit in demand.rates]
        if demand.system is not None:
            places.append(WaitKey("circuit", demand.system))
        for place in places:
            if self._room.is_awaited(place):
                self._open[place] = None
                return Wait(place.kind, place.key)
        return None

    def _take(self, step: UUID, demand: Demand, now: datetime) -> None:
        self._slots.take(step, demand.slots)
        self._rates.take(demand.rates, now)
        if demand.system is not None:
            self._circuits.let_through(demand.system, step, now)

    def _join(self, waiter: Waiter) -> None:
        self._room.join(waiter)
        self._moved[waiter.step_id] = None
        self._set_alarm(waiter.hold)

    def _leave_room(self, waiter: Waiter) -> None:
        self._room.leave(waiter)
        self._moved[waiter.step_id] = None

    def _leave_queue(self, step: UUID, system: str | None) -> None:
        for key in self._slots.free(step):
            self._open[WaitKey("slot", key)] = None
        if system is not None and self._circuits.left(system, step):
            self._open[WaitKey("circuit", system)] = None

    def _set_alarm(self, hold: Wait) -> None:
        if hold.until is None:
            return
        place = WaitKey(hold.kind, hold.key)
        earliest = self._alarmed.get(place)
        if earliest is None or hold.until < earliest:
            self._alarmed[place] = hold.until
            heappush(self._alarms, (hold.until, place))
