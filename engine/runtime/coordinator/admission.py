"""Admission control of one shard: loads the state of the limits, keeps it current, stores changes.

The state is loaded when the coordinator becomes leader, and again whenever one of its commits was
refused. Changes that other shards make to the same limits arrive by notification, and are looked
for once a poll interval. If a change was missed, the transaction that stores the grants is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from uuid import UUID

from flowledger.engine.config.sections import CoordinatorSettings
from flowledger.engine.domain.limits.admission import AdmissionControl, AdmissionRules
from flowledger.engine.domain.limits.wait_queue import Waiter
from flowledger.engine.domain.machine.decide import MayStart, Rules
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.circuit import CircuitClosed, CircuitOpened
from flowledger.engine.ports.coordinator import Commit, CoordinatorStore
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

MOST_HALVINGS = 16


class ShardAdmission:
    """Who may be queued, as the coordinator of one shard sees it."""

    def __init__(self, store: CoordinatorStore, rules: AdmissionRules) -> None:
        self._store = store
        self._rules = rules
        self._control: AdmissionControl | None = None
        self._refusals = 0  # since a transaction was stored
        self._recalled: Sequence[tuple[UUID, str]] = ()
        self._log = logger("coordinator")

    def rules(self, settings: CoordinatorSettings, may_start: MayStart) -> Rules:
        """What bounds the decisions of the shard."""
        return Rules(
            lost_leases=settings.max_lost_leases,
            hand_backs=settings.hand_back_limit,
            admit=self.admit,
            may_start=may_start,
        )

    @property
    def control(self) -> AdmissionControl:
        """The limits and who waits, loaded where they are not in memory."""
        if self._control is None:
            self._control = AdmissionControl(self._rules, self._store.limits())
        return self._control

    def forget(self) -> None:
        """What is in memory is not what is stored."""
        self._control = None
        self._refusals += 1

    def admit(self, run: TaskRun, number: int, now: datetime) -> Wait | None:
        """Grant a ready step all that it needs, or say what holds it."""
        return self.control.admit(run, number, now)

    def restore(self, run: TaskRun) -> None:
        """Tell a run that was folded anew which of its steps wait."""
        self.control.restore(run)

    def record_outcomes(self, run: TaskRun, events: Iterable[TaskEvent], now: datetime) -> None:
        """Something became of attempts of a run that has limits."""
        for event in events:
            if isinstance(event, StepEvent):
                self.control.record_outcome(run, event, now)

    def sync(
        self, batch: CommitBatch, guard: Callable[[UUID], AbstractContextManager[bool]]
    ) -> None:
        """Bring what steps hold in line with all that the batch did to them; `guard` each task."""
        gate = self.control
        awaited = gate.awaited
        for run, numbers in batch.steps.items():
            if awaited or run.plan.limited:
                with guard(run.task_id) as accepted:
                    if accepted:
                        gate.sync(run, numbers)
        if awaited:
            for run in batch.runs:
                if run.ended:
                    gate.ended(run)

    def admissible(self, now: datetime, limit: int) -> Iterator[Waiter]:
        """At most so many of those who can go now."""
        return islice(self.control.admissible(now), limit)

    def to_withdraw(self, now: datetime, limit: int, *, look: bool) -> Sequence[tuple[UUID, str]]:
        """At most so many of the steps that were queued before a circuit opened, or a pause began.

        `look` at what other shards did before. Workers claim meanwhile, which refuses the
        transaction; so it is tried with fewer and fewer.
        """
        gate = self.control
        if look and gate.watches:
            gate.refresh(*self._store.limits_now(gate.awaited_keys))
            gate.set_older_waiters(self._store.older_waiters(gate.horizons), now)
        templates, systems = gate.to_withdraw(now)
        if not (templates or systems):
            return ()
        if not limit:
            return ()
        limit = (limit >> min(self._refusals, MOST_HALVINGS)) or 1
        found = self._store.queued_of(templates, systems, limit)
        if len(found) < limit or found == self._recalled:  # they stay, of a task that is parked
            gate.withdrawals_done()
        self._recalled = found
        return found

    def stalled(self, batch: CommitBatch) -> list[TaskRun]:
        """The runs of the batch of which something waits for room and nothing is queued or runs."""
        if not self.control.awaited:
            return []
        stalled = (run for run in batch.runs if run.waiting and not run.busy)
        return sorted(stalled, key=attrgetter("task_id"))

    def store(self, commit: Commit) -> None:
        """Have the transaction store what was granted, and who waits."""
        changes = self.control.drain()
        if changes:
            commit.limits = changes
            commit.events += changes.circuits.events

    def stored(self, commit: Commit) -> None:
        """Say what became of circuits."""
        self._refusals = 0
        for event in commit.limits.circuits.events if commit.limits else ():
            if isinstance(event, CircuitOpened):
                signal = Signal.COORDINATOR_CIRCUIT_OPENED
                self._log.emit(signal, system=event.system, until=event.until.isoformat())
            elif isinstance(event, CircuitClosed):
                self._log.emit(Signal.COORDINATOR_CIRCUIT_CLOSED, system=event.system)

    def tidy(self, now: datetime) -> None:
        """Forget what holds nobody back any more. To be called now and then."""
        self.control.forget_idle_rates(now)

    def next_at(self, otherwise: datetime) -> datetime:
        """When somebody may go although nothing happens, where that is earlier."""
        if self._control is None:
            return otherwise
        if self._control.open or self._control.must_withdraw:
            return datetime.min.replace(tzinfo=UTC)
        return min(self._control.next_at or otherwise, otherwise)
