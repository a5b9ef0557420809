"""Folds facts, fires timers and collects the decisions of one batch; it stores nothing.

All work on one task is done within a guard: an error there quarantines that task
(`quarantine.py`), and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flowledger.engine.config.admission_rules_from_settings import admission_rules
from flowledger.engine.config.limit_settings import LimitSettings
from flowledger.engine.config.sections import CoordinatorSettings
from flowledger.engine.domain.limits.task_starts import TaskStarts
from flowledger.engine.domain.limits.wait_queue import with_wait
from flowledger.engine.domain.machine.decide import (
    admitted,
    decide,
    lease_expired,
    timer_fired,
    withdraw,
)
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.events.base import Recorded, StepEvent, TaskEvent, Unreadable
from flowledger.engine.events.requests import TaskRequest
from flowledger.engine.events.step import StepStarted
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.clock_and_wakeup import Clock
from flowledger.engine.ports.coordinator import CoordinatorStore, Due, Start
from flowledger.engine.ports.worker import Claim
from flowledger.engine.runtime.coordinator.admission import ShardAdmission
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from flowledger.engine.runtime.coordinator.guarded_run import GuardedRun
from flowledger.engine.runtime.coordinator.quarantine import UNDECIDABLE, Quarantine
from flowledger.engine.runtime.coordinator.run_cache import RunCache
from flowledger.engine.runtime.coordinator.step_starts import start_of, started
from flowledger.engine.runtime.coordinator.task_beginnings import MOST_BEGUN, TaskBeginnings
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

LATEST = datetime.max.replace(tzinfo=UTC)
SOON_SECONDS = 1.0
"""Between two looks at what other shards do with limits and circuits, which nobody tells."""


class Decider:
    """What is known in memory of the tasks of a shard, and what follows from it.

    `read` is the position up to which facts are folded. `apart`: one task a batch, since the
    database refuses something about one of them.
    """

    def __init__(
        self,
        ledger: CoordinatorStore,
        clock: Clock,
        settings: CoordinatorSettings,
        limits: LimitSettings,
    ) -> None:
        self.read = 0
        self.apart = False
        self.admissions = ShardAdmission(
            ledger, admission_rules(limits, settings.priority_ageing_seconds)
        )
        self.quarantine = Quarantine()
        self.runs = RunCache(
            ledger, settings.max_cached_tasks, limits.namespace_concurrency, self.admissions.restore
        )
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self.starts = TaskStarts(
            settings.begin_ahead_steps, settings.begin_ahead_seconds, self.runs.queued
        )
        self._beginnings = TaskBeginnings(
            ledger,
            self.starts,
            self.runs,
            settings.priority_ageing_seconds,
            limits.fairness_weights,
        )
        self._at_rest = self.admissions.rules(settings, self.starts.may_start)
        self._rules = replace(self._at_rest, defers_waiting=True)
        self._held_by_nobody: set[tuple[UUID, str, int]] = set()  # by the last reconciliation
        self._ask_clock_at = self._reconcile_at = clock.now()
        self.silent_at: datetime | None = (
            None  # when a worker's lease runs out, where it is not renewed
        )
        self._log = logger("coordinator")

    @property
    def next_at(self) -> datetime:
        """When there is something to do although nothing happens."""
        if self.starts.can_go_on(now := self._clock.now()):
            return now
        return min(self.admissions.next_at(self._ask_clock_at), self.silent_at or LATEST)

    def forget(self) -> None:
        """What is in memory is not what is stored."""
        self.runs.forget_all()
        self.starts.forget()
        self.admissions.forget()

    def forget_batch(self, position: int) -> None:
        """Nothing of the batch was stored, and all that was before it is: begin at the position."""
        self.runs.forget_batch()
        self.starts.forget()
        self.admissions.forget()
        self.again(position)

    def ask_at(self, moment: datetime) -> None:
        """Ask the clock no later than that."""
        self._ask_clock_at = min(self._ask_clock_at, moment)

    def elected(self, position: int) -> None:
        """Begin at a position, and try again what was parked."""
        self.quarantine.elected(self._ledger.parked())
        self.again(position)
        # What takes long comes after the first commits: until then nobody knows of a leader.
        soon = min(self._settings.lease_seconds, self._settings.reconcile_seconds)
        self._reconcile_at = self._clock.now() + timedelta(seconds=soon)
        self._held_by_nobody = set()

    def try_parked(self) -> None:
        """Try again what is parked, as soon as the clock is asked, which is at once."""
        self.quarantine.try_again(self._ledger.parked())
        self.ask_at(self._clock.now())

    def look(self, position: int) -> None:
        """Begin at a position, and look at everything."""
        self.again(position)
        self._reconcile_at = self._clock.now()
        self._held_by_nobody = set()

    def again(self, position: int) -> None:
        """Nothing after the position is folded yet, and timers are to be read."""
        self.read = position
        self._ask_clock_at = self._clock.now()

    def read_up_to(self, position: int) -> None:
        """Facts up to there are folded; those that were left behind are before that."""
        self.read = max(self.read, position)

    def begin_batch(self) -> None:
        """What comes now is of a new batch."""
        self.starts.begin_batch()
        self.runs.begin_batch()

    def take(self, batch: CommitBatch, facts: Sequence[Recorded | Unreadable]) -> None:
        """Fold facts, in order, and decide what follows."""
        now = self._clock.now()
        asked: dict[UUID, UUID] = {}
        self.runs.prefetch(self._to_be_folded(facts), self.read)
        for fact in facts:
            if isinstance(fact, Unreadable):
                self.quarantine.park(fact.task_id, fact.reason)
            elif isinstance(event := fact.event, TaskEvent):
                if isinstance(event, TaskRequest) or (asked and event.task_id in asked):
                    asked[event.task_id] = event.event_id
                self._take(batch, event, now, decides=not asked or event.task_id not in asked)
            else:
                self.admissions.control.record_template_event(event)
        # What operators ask for is weighed against all that is known to have happened.
        for task_id, cause in asked.items():
            with self._run_of(task_id) as run:
                if run is not None:
                    batch.decided(run, decide(run, cause, now, self._rules))

    def _to_be_folded(self, facts: Sequence[Recorded | Unreadable]) -> Iterator[UUID]:
        """The tasks that are in the log, and must be in memory for these facts."""
        created = set[UUID]()
        for fact in facts:
            if isinstance(fact, Unreadable) or not isinstance(event := fact.event, TaskEvent):
                continue
            if self.runs.begins_with(event):
                created.add(event.task_id)
            elif event.task_id not in created and event.task_id not in self.quarantine:
                yield event.task_id

    def follow(self, facts: Sequence[StepEvent], starts: Sequence[Start]) -> bool:
        """Whether each of the facts is the next of its stream, where these starts are met."""
        self.runs.prefetch((fact.task_id for fact in facts), self.read)
        versions = {start.claim.step_id: start.claim.version for start in starts}
        return all(self._follows(fact, versions.get(fact.originator_id)) for fact in facts)

    def _follows(self, fact: StepEvent, started: int | None) -> bool:
        version = -1
        with self._run_of(fact.task_id) as run:
            if run is not None:
                known = run.steps[run.plan.numbers[fact.step]].version
                version = known if started is None else started
        return version == fact.originator_version - 1

    def take_own(
        self, batch: CommitBatch, starts: Sequence[Start], facts: Sequence[StepEvent]
    ) -> None:
        """Fold starts that need not be read from the log, and facts that are not in it yet."""
        now = self._clock.now()
        for start in starts:
            with self._run_of(start.claim.task_id) as run:
                if run is not None:
                    self._take(batch, started(run, start), now, decides=True)
        for fact in facts:
            self._take(batch, fact, now, decides=True)

    def start_here(
        self, batch: CommitBatch, run: TaskRun, number: int, worker: UUID, now: datetime
    ) -> Claim:
        """Have a worker of this process run a step that the batch queues."""
        start = start_of(run, number, worker, now)
        event = started(run, start)
        self._fold(batch, event, now, decides=False)
        batch.started(run, event)
        return start.claim

    def let_go(self, batch: CommitBatch, *, look: bool) -> None:
        """Queue the steps that waited and can go now."""
        now, limit = self._clock.now(), self._most(self._settings.timer_batch_size)
        if self._is_full(batch):
            limit = 0
        self.admissions.sync(batch, self.quarantine.of)
        for task_id, step in self.admissions.to_withdraw(now, limit, look=look):
            with self._run_of(task_id) as run:
                if run is not None:
                    batch.decided(run, withdraw(run, run.plan.numbers[step], now, self._rules))
        for waiter in self.admissions.admissible(now, limit):
            with self._run_of(waiter.task_id) as run:
                if run is not None:
                    events = admitted(run, run.plan.numbers[waiter.step], now, self._rules)
                    batch.decided(run, with_wait(events, waiter))
        if not self._is_full(batch):
            self._begin_tasks(batch, now)
        for stalled in self.admissions.stalled(batch):
            with self._run_of(stalled.task_id) as run:
                if run is not None:
                    batch.decided(run, decide(run, run.last_event, now, self._at_rest))

    def _begin_tasks(self, batch: CommitBatch, now: datetime) -> None:
        """Have those begin that wait to, where there is room."""
        for task_id in self._beginnings.next_tasks(now, self._most(MOST_BEGUN), self.read):
            with self._run_of(task_id) as run:
                if run is not None:
                    batch.decided(run, events := decide(run, run.last_event, now, self._rules))
                    if not events:  # its row says otherwise, and is written anew
                        batch.touch(run)
            if self._is_full(batch):
                break
        self._beginnings.end()

    def ask_clock(self, batch: CommitBatch, woken_by: frozenset[str]) -> bool:
        """See what time asks for, where it is time to look."""
        now = self._clock.now()
        asks_at = min(self._ask_clock_at, self.silent_at or LATEST)
        if now < asks_at and not woken_by & {"clock", "submission"}:
            return False
        reconcile = now >= self._reconcile_at
        due = self._ledger.due(self._most(self._settings.timer_batch_size), orphans=reconcile)
        self.silent_at = due.silent_at
        more = due.submissions and self._take_submissions(batch, now)
        if due.wanted and not self._is_full(batch):
            self._try_again(batch, now)
        now = max(self._clock.now(), due.now)  # what is due there is not to be too early here
        if not self._is_full(batch):
            self._ring_timers(batch, due, now)
        if not self._is_full(batch):
            self._give_up_lost(batch, due, now)
        if reconcile and not self._is_full(batch):
            self._reconcile(batch, now)
        pause = self._settings.poll_seconds
        if self.admissions.control.watches:
            pause = min(pause, SOON_SECONDS)
        poll = now + timedelta(seconds=pause)
        more = more or self._is_full(batch)
        self._ask_clock_at = now if more else min(poll, due.next_at or poll)
        return True

    def _ring_timers(self, batch: CommitBatch, due: Due, now: datetime) -> None:
        for task_id, step, kind in due.timers:
            with self._run_of(task_id) as run:
                if run is None:
                    continue
                events = timer_fired(run, step, kind, now, self._rules)
                batch.decided(run, events)
                batch.clear_timer(run.task_id, step)
                if run.plan.limited:
                    self.admissions.record_outcomes(run, events, now)

    def _give_up_lost(self, batch: CommitBatch, due: Due, now: datetime) -> None:
        for task_id, step, worker in due.lost:
            with self._run_of(task_id) as run:
                if run is not None:
                    number = run.plan.numbers[step]
                    batch.decided(run, lease_expired(run, number, worker, now, self._rules))

    def _most(self, size: int) -> int:
        return 1 if self.apart else size

    def _is_full(self, batch: CommitBatch) -> bool:
        """Whether no other task may come into the batch."""
        return self.apart and bool(batch.runs)

    def _take(self, batch: CommitBatch, event: TaskEvent, now: datetime, *, decides: bool) -> None:
        if event.task_id in self.quarantine:
            return
        try:
            self._fold(batch, event, now, decides=decides)
        except UNDECIDABLE as error:
            loading = self.runs.cached(event.task_id) is None
            self.quarantine.failed(event.task_id, error, loading=loading)

    def _fold(self, batch: CommitBatch, event: TaskEvent, now: datetime, *, decides: bool) -> None:
        run = self.runs.fold(event, self.read)
        batch.folded(run, event)
        if isinstance(event, StepStarted):
            self.starts.step_started(run.plan.template_id, now)
        if run.plan.limited:
            self.admissions.record_outcomes(run, (event,), now)
        if decides and (events := decide(run, event.event_id, now, self._rules)):
            batch.decided(run, events)

    def _run_of(self, task_id: UUID) -> GuardedRun:
        return GuardedRun(self.quarantine, self.runs, self.read, task_id)

    def _take_submissions(self, batch: CommitBatch, now: datetime) -> bool:
        found = self._ledger.submissions(self._most(self._settings.submission_batch_size))
        for created in found:
            if isinstance(created, Unreadable):
                self._park_again(created.task_id, created.reason)
                continue
            tried_again = self.quarantine.release(created.task_id)
            try:
                run = self.runs.create(created)
            except UNDECIDABLE as error:
                self.quarantine.failed(created.task_id, error, loading=True)
                continue
            with self.quarantine.of(created.task_id):
                self._begin(batch, run, created, now)
                if tried_again:
                    batch.unparked.append(created.task_id)
        return len(found) == self._settings.submission_batch_size

    def _begin(self, batch: CommitBatch, run: TaskRun, created: TaskCreated, now: datetime) -> None:
        batch.decided(run, (created,))
        batch.decided(run, decide(run, created.event_id, now, self._rules))
        batch.submissions.append(created.submission or 0)

    def _park_again(self, task_id: UUID | None, reason: str) -> None:
        if task_id is not None:
            self.quarantine.release(task_id)
        self.quarantine.park(task_id, reason)

    def _try_again(self, batch: CommitBatch, now: datetime) -> None:
        """Take up what was parked, with all facts that were passed over meanwhile."""
        for task_id in self._ledger.wanted(self._most(self._settings.timer_batch_size)):
            self.quarantine.release(task_id)
            with self._run_of(task_id) as run:
                if run is not None:
                    batch.again(run)
                    batch.decided(run, decide(run, run.last_event, now, self._rules))

    def _reconcile(self, batch: CommitBatch, now: datetime) -> None:
        found, missing_rows = 0, set[tuple[UUID, str, int]]()
        for task_id, step in self._ledger.unqueued(self._most(self._settings.timer_batch_size)):
            with self._run_of(task_id) as run:
                if run is None:
                    continue
                number = run.plan.numbers[step]
                state, version, *_ = run.steps[number]
                if state is StepState.ENQUEUED:
                    batch.requeue(run, number)
                    found += 1
                elif (task_id, step, version) in self._held_by_nobody:
                    batch.decided(run, lease_expired(run, number, None, now, self._rules))
                    found += 1
                else:  # its end may be in the log, and not read yet
                    missing_rows.add((task_id, step, version))
        self._held_by_nobody = missing_rows
        self.admissions.tidy(now)
        if found:
            self._log.emit(Signal.COORDINATOR_RECONCILED, steps=found)
        self._reconcile_at = now + timedelta(seconds=self._settings.reconcile_seconds)
