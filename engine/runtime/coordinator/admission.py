"""The gate of a shard between the coordinator and the store: loaded, asked, looked at again.

Loaded when the coordinator begins to lead, and anew whenever one of its commits was refused. Of
what other shards do to the same limits it hears by a notification, and looks once a poll interval;
what it does not hear of in time, the transaction that stores its grants refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from uuid import UUID

from flowledger.engine.config.sections import CoordinatorSettings
from flowledger.engine.domain.limits.admission import AdmissionControl, AdmissionRules
from flowledger.engine.domain.limits.wait_queue import Waiter
from flowledger.engine.domain.machine.decide import Rules
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.circuit import CircuitClosed, CircuitOpened
from flowledger.engine.ports.coordinator import Commit, CoordinatorStore
from flowledger.engine.runtime.coordinator.commit_batch import CommitBatch
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.signals import Signal

MOST_HALVINGS = 16


class ShardAdmission:
    """Who may be queued, as the coordinator of one shard sees it."""

    def __init__(self, ledger: CoordinatorStore, rules: AdmissionRules) -> None:
        self._ledger = ledger
        self._rules = rules
        self._gate: AdmissionControl | None = None
        self._refusals = 0  # since a transaction was stored
        self._recalled: Sequence[tuple[UUID, str]] = ()
        self._log = logger("coordinator")

    def rules(self, settings: CoordinatorSettings) -> Rules:
        """What bounds the decisions of the shard."""
        return Rules(
            lost_leases=settings.max_lost_leases,
            hand_backs=settings.hand_back_limit,
            admit=self.admit,
        )

    @property
    def gate(self) -> AdmissionControl:
        """The limits and who waits, loaded where they are not in memory."""
        if self._gate is None:
            self._gate = AdmissionControl(self._rules, self._ledger.limits())
        return self._gate

    @property
    def namespaces(self) -> Container[str]:
        """The namespaces that have a limit."""
        return self._rules.namespaces

    def forget(self) -> None:
        """What is in memory is not what is stored."""
        self._gate = None
        self._refusals += 1

    def admit(self, run: TaskRun, number: int, now: datetime) -> Wait | None:
        """Grant a ready step all that it needs, or say what holds it."""
        return self.gate.admit(run, number, now)

    def restore(self, run: TaskRun) -> None:
        """Tell a run that was folded anew which of its steps wait."""
        self.gate.restore(run)

    def saw(self, run: TaskRun, events: Iterable[TaskEvent], now: datetime) -> None:
        """Something became of attempts of a run that has limits."""
        for event in events:
            if isinstance(event, StepEvent):
                self.gate.saw(run, event, now)

    def sync(
        self, batch: CommitBatch, guard: Callable[[UUID], AbstractContextManager[bool]]
    ) -> None:
        """Bring what steps hold in line with all that the batch did to them; `guard` each task."""
        gate = self.gate
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

    def called(self, now: datetime, limit: int) -> Iterator[Waiter]:
        """At most so many of those who can go now."""
        return islice(self.gate.called(now), limit)

    def recalled(self, now: datetime, limit: int, *, look: bool) -> Sequence[tuple[UUID, str]]:
        """At most so many of the steps that were queued before a circuit opened, or a pause began.

        `look` at what other shards did before. Workers claim meanwhile, which refuses the
        transaction; so it is tried with fewer and fewer.
        """
        gate = self.gate
        if look and gate.watches:
            gate.refresh(*self._ledger.room(gate.awaited_keys))
            gate.know(self._ledger.elders(gate.horizons), now)
        templates, systems = gate.recalling(now)
        if not (templates or systems):
            return ()
        if not limit:
            return ()
        limit = (limit >> min(self._refusals, MOST_HALVINGS)) or 1
        found = self._ledger.queued_of(templates, systems, limit)
        if len(found) < limit or found == self._recalled:  # they stay, of a task that is parked
            gate.recalled()
        self._recalled = found
        return found

    def stalled(self, batch: CommitBatch) -> list[TaskRun]:
        """The runs of the batch of which something waits for room and nothing is queued or runs."""
        if not self.gate.awaited:
            return []
        stalled = (run for run in batch.runs if run.held and not run.busy)
        return sorted(stalled, key=attrgetter("task_id"))

    def store(self, commit: Commit) -> None:
        """Have the transaction store what was granted, and who waits."""
        changes = self.gate.drain()
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
        self.gate.tidy(now)

    def next_at(self, otherwise: datetime) -> datetime:
        """When somebody may go although nothing happens, where that is earlier."""
        if self._gate is None:
            return otherwise
        if self._gate.open or self._gate.recalls:
            return datetime.min.replace(tzinfo=UTC)
        return min(self._gate.next_at or otherwise, otherwise)
