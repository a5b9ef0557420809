"""The coordinator: follows the log, decides, and commits decisions with its position.

Who owns what. One coordinator leads; the shard row says which, with an epoch and a lease. The
leader alone appends decisions. It owns the shard's position: every fact up to it has been folded
and answered, and the answers are in the log. Everybody else may append facts at any time.

One step. Read the facts behind the position; fold each into its task and decide what follows; see
what the clock asks for; then commit events, queue rows, readiness, timers and the new position in
one transaction, which compares the position and the epoch with the stored ones. Where many facts
were read, it hurries: the commit is sent beside the loop while the next batch is decided on, which
is only sent when this one is stored; and that a step has started is noted in its row when there is
time, which is often never, because it has ended by then. The clock is asked between commits.

What is authoritative. The log and the shard row. Runs in memory are a cache of folds: facts up to
the position, and all decisions. Whenever a commit does not succeed, what it touched is dropped from
memory and folded again.

What can go wrong.
- Another coordinator leads: the commit is refused (LeadershipLost), nothing is stored, this one
  stands by and asks for the lease again.
- Someone appended to a stream that a decision was for (StreamMoved), say a completion that raced a
  timeout: nothing is stored; the fact is behind the position, and twice as many are read the next
  time, so that it is folded before the same is decided again.
- The answer to a commit is lost (DatabaseUnavailable): this one forgets everything, asks for the
  lease and goes on from the stored position, which says whether the commit happened.
- It is killed anywhere: the same, by the next leader.
- A wake-up is lost: it looks at the log at least once a poll interval.
- The history of a task cannot be folded, because the log was tampered with or a bug wrote it: that
  task is parked, with a line in the logs, and the others go on.
- A queue row is lost: it looks for such steps once a reconcile interval, and queues them again;
  one that was running then is given up when it is found a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from flowledger.engine.config import Coordinator as CoordinatorSettings
from flowledger.engine.config import Limits
from flowledger.engine.domain.decisions import Rules, admitted, decide, lease_expired, recalled
from flowledger.engine.domain.decisions import rung as rang
from flowledger.engine.domain.event import TaskEvent
from flowledger.engine.domain.requests import TaskRequest
from flowledger.engine.domain.run import Run
from flowledger.engine.domain.states import StepState
from flowledger.engine.domain.waiting import let_go
from flowledger.engine.errors import LeadershipLost, StreamMoved
from flowledger.engine.ports import (
    NO_FAULTS,
    Clock,
    Commit,
    FaultPoints,
    Leadership,
    Ledger,
    Recorded,
    Unreadable,
)
from flowledger.engine.runtime.admissions import Admissions, gate_rules
from flowledger.engine.runtime.batch import Batch, Numbers
from flowledger.engine.runtime.committer import Committer, UnderWay
from flowledger.engine.runtime.parking import UNFOLDABLE, Parking
from flowledger.engine.runtime.runs import Runs
from flowledger.engine.runtime.seat import OnlySeat, Seat
from flowledger.engine.telemetry import Signal, logger

NO_LIMITS = Limits()
MOST_DOUBLINGS = 10  # of the batch's size, while commits are refused


class Coordinator:
    """A loop cut into steps: `step` does one and says how long to wait for the next."""

    def __init__(  # noqa: PLR0913 - what a loop needs, each a port
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        ring: Callable[[str], None],
        identity: UUID,
        settings: CoordinatorSettings,
        limits: Limits = NO_LIMITS,
        faults: FaultPoints = NO_FAULTS,
        seat: Seat | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ring = ring
        self._identity = identity
        self._settings = settings
        self._faults = faults
        self._seat = seat or OnlySeat()
        self._admissions = Admissions(ledger, gate_rules(limits, settings.ageing_seconds))
        self._at_rest = Rules(
            lost_leases=settings.lost_lease_limit,
            hand_backs=settings.hand_back_limit,
            admit=self._admissions.admit,
        )
        self._rules = replace(self._at_rest, patient=True)
        self._runs = Runs(ledger, settings.cache_tasks, limits.namespaces, self._admissions.restore)
        self._leadership: Leadership | None = None
        self._committer = Committer(self._send)
        self._parking = Parking()
        self._wary = False  # some task is suspected or parked, so that each must be looked at
        self._under_way: UnderWay | None = None
        self._put_off: Numbers = {}  # starts whose rows are still to be stored
        self._queued = 0  # since the last tidying
        self._held_by_nobody: set[tuple[UUID, str, int]] = set()  # by the last reconciliation
        self._conflicts = 0  # since the last commit that was stored
        self._position = 0  # stored
        self._read = 0  # folded; ahead of what is stored while a commit is under way
        self._renew_at = self._ask_clock_at = self._reconcile_at = clock.now()
        self._log = logger("coordinator", shard=self._seat.shard)

    @property
    def leads(self) -> bool:
        """Whether it believes to lead."""
        return self._leadership is not None

    def step(self, rung: frozenset[str] = frozenset()) -> float:
        """Do what there is to do; `rung` says what woke it.

        Returns the seconds that it may wait: 0 where more may be waiting already. Raises
        DatabaseUnavailable; the next step then starts from what is stored.
        """
        try:
            if not self._seat.wanted:
                self.resign()
                return self._settings.poll_seconds
            leadership = self._lead()
            if leadership is None:
                return self._settings.poll_seconds
            return self._work_on_what_is_stored(leadership, rung)
        except LeadershipLost:
            self._log.emit(Signal.COORDINATOR_LOST)
            self._parking.acquit()
            self.forget()
            return self._settings.poll_seconds
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Stop believing anything that is not stored."""
        if self._under_way is not None:
            self._under_way.outcome.exception()
            self._under_way = None
        self._leadership = None
        self._put_off = {}
        self._runs.forget_all()
        self._admissions.forget()

    def resign(self) -> None:
        """Let another lead at once."""
        if self._leadership is not None and self._settle():
            self._ledger.resign(self._leadership.epoch)
            self._log.emit(Signal.COORDINATOR_RESIGNED)
        self.forget()

    def close(self) -> None:
        """Commit nothing any more."""
        self._committer.close()

    def _lead(self) -> Leadership | None:
        now = self._clock.now()
        if self._leadership is None or now >= self._renew_at:
            found = self._ledger.lead(self._identity, self._settings.lease_seconds)
            if found is None:
                self._seat.refused()
                self.forget()
                return None
            if self._leadership is None or found.epoch != self._leadership.epoch:
                self.forget()  # what is still to be noted is of an epoch in which it led
                self._elected(found)
            self._renew_at = self._clock.now() + timedelta(seconds=self._settings.lease_seconds / 3)
        return self._leadership

    def _elected(self, leadership: Leadership) -> None:
        self._log.emit(Signal.COORDINATOR_ELECTED, epoch=leadership.epoch)
        self._leadership = leadership
        self._position = self._read = leadership.position
        self._ask_clock_at = self._reconcile_at = self._clock.now()

    def _work_on_what_is_stored(self, leadership: Leadership, rung: frozenset[str]) -> float:
        """Work; what cannot be folded may follow from decisions that it does not know of.

        Another has led meanwhile, or a commit that was cut off has arrived after all. Raises
        LeadershipLost then, and what `_work` raises.
        """
        try:
            return self._work(leadership, rung)
        except UNFOLDABLE:
            self._wary = True
            found = self._ledger.lead(self._identity, self._settings.lease_seconds)
            if found != Leadership(leadership.epoch, self._position):
                raise LeadershipLost("the shard has moved on") from None
            raise

    def _work(self, leadership: Leadership, rung: frozenset[str]) -> float:
        if self._under_way is None:
            self._runs.shrink()
        settings = self._settings
        batch = Batch(self._put_off, settings.ageing_seconds, settings.lost_lease_limit)
        limit = settings.batch_size << min(self._conflicts, MOST_DOUBLINGS)
        facts = self._ledger.facts(self._read, limit)
        if not self._take_all(batch, facts):
            return 0.0
        self._read = facts[-1].position if facts else self._ledger.passed(self._read)
        asked = self._ask_clock(batch, rung)
        self._let_go(batch, look=asked or "room" in rung)
        # Others' facts were passed over: to store that for each of them would cost a commit each.
        changed = batch or facts or self._admissions.gate.unsaved
        if not changed and not (asked and self._read > self._position):
            return self._pause()
        crowded = len(self._runs) > self._settings.cache_tasks  # shrunk between commits only
        hurry = len(facts) >= self._settings.hurry_events and not crowded
        self._put_off = batch.put_off_starts() if hurry else {}
        self._commit(leadership, batch, beside=hurry)
        stored = not hurry and self._settle()
        return self._pause() if stored and len(facts) < limit else 0.0

    def _take_all(self, batch: Batch, facts: Sequence[Recorded | Unreadable]) -> bool:
        """False: the commit that is under way was refused, and all is read again."""
        now = self._clock.now()
        asked: dict[UUID, UUID] = {}
        try:
            for fact in facts:
                if isinstance(fact, Unreadable):
                    self._parking.park(fact.task_id, fact.reason)
                    self._wary = True
                elif isinstance(event := fact.event, TaskEvent):
                    if isinstance(event, TaskRequest) or (asked and event.task_id in asked):
                        asked[event.task_id] = event.event_id
                    self._take(batch, event, now, decides=not asked or event.task_id not in asked)
                else:
                    self._admissions.gate.told(event)
            # What operators ask for is weighed against all that is known to have happened.
            for task_id, cause in asked.items():
                for run in self._found(task_id):
                    batch.decided(run, decide(run, cause, now, self._rules))
        except UNFOLDABLE:
            # It may contradict decisions under way, which the log then refuses because of it.
            if self._settle():
                raise
            return False
        return self._settle()

    def _take(self, batch: Batch, event: TaskEvent, now: datetime, *, decides: bool) -> None:
        certain = self._under_way is None
        if self._wary:
            with self._parking.of(event.task_id, certain=certain) as accepted:
                if accepted:
                    self._fold(batch, event, now, decides=decides)
            return
        try:
            self._fold(batch, event, now, decides=decides)
        except UNFOLDABLE:
            with self._parking.of(event.task_id, certain=certain):
                raise

    def _fold(self, batch: Batch, event: TaskEvent, now: datetime, *, decides: bool) -> None:
        run = self._runs.fold(event, self._read)
        batch.saw(run, event)
        if run.plan.limited:
            self._admissions.saw(run, (event,), now)
        if decides and (events := decide(run, event.event_id, now, self._rules)):
            batch.decided(run, events)

    def _let_go(self, batch: Batch, *, look: bool) -> None:
        """Queue the steps that waited and can go now."""
        now, limit = self._clock.now(), self._settings.timer_batch_size
        self._admissions.sync(batch)
        for task_id, step in self._admissions.recalled(now, limit, look=look):
            for run in self._found(task_id):
                batch.decided(run, recalled(run, run.plan.numbers[step], now, self._rules))
        for waiter in self._admissions.called(now, limit):
            for run in self._found(waiter.task_id):
                events = admitted(run, run.plan.numbers[waiter.step], now, self._rules)
                batch.decided(run, let_go(events, waiter))
        for run in self._admissions.stalled(batch):
            batch.decided(run, decide(run, run.last_event, now, self._at_rest))

    def _ask_clock(self, batch: Batch, rung: frozenset[str]) -> bool:
        """See what time asks for, where it is time to look."""
        now = self._clock.now()
        if now < self._ask_clock_at and not rung & {"clock", "submission"}:
            return False
        more = self._take_submissions(batch, now)
        reconcile = now >= self._reconcile_at
        due = self._ledger.due(self._settings.timer_batch_size, orphans=reconcile)
        now = self._clock.now()
        for task_id, step, kind in due.timers:
            for run in self._found(task_id):
                events = rang(run, step, kind, now, self._rules)
                batch.decided(run, events)
                batch.untime(task_id, step)
                if run.plan.limited:
                    self._admissions.saw(run, events, now)
        for task_id, step, worker in due.lost:
            for run in self._found(task_id):
                expired = lease_expired(run, run.plan.numbers[step], worker, now, self._rules)
                batch.decided(run, expired)
        if reconcile:
            self._reconcile(batch, now)
        poll = now + timedelta(seconds=self._settings.poll_seconds)
        self._ask_clock_at = now if more else min(poll, due.next_at or poll)
        return True

    def _found(self, task_id: UUID) -> Iterator[Run]:
        """The run; nothing where the task is parked."""
        with self._parking.of(task_id, certain=self._under_way is None) as accepted:
            if accepted:
                yield self._runs.at(task_id, self._read)

    def _take_submissions(self, batch: Batch, now: datetime) -> bool:
        for created in self._ledger.submissions(self._settings.submission_batch_size):
            run = self._runs.create(created)
            batch.decided(run, (created,))
            batch.decided(run, decide(run, created.event_id, now, self._rules))
            batch.submissions.append(created.submission or 0)
        return len(batch.submissions) == self._settings.submission_batch_size

    def _reconcile(self, batch: Batch, now: datetime) -> None:
        found, held_by_nobody = 0, set[tuple[UUID, str, int]]()
        for task_id, step in self._ledger.unqueued(self._settings.timer_batch_size):
            for run in self._found(task_id):
                number = run.plan.numbers[step]
                state, version, *_ = run.steps[number]
                if state is StepState.ENQUEUED:
                    batch.requeue(run, number)
                    found += 1
                elif (task_id, step, version) in self._held_by_nobody:
                    batch.decided(run, lease_expired(run, number, None, now, self._rules))
                    found += 1
                else:  # its end may be in the log, and not read yet
                    held_by_nobody.add((task_id, step, version))
        self._held_by_nobody = held_by_nobody
        if found:
            self._log.emit(Signal.COORDINATOR_RECONCILED, steps=found)
        self._reconcile_at = now + timedelta(seconds=self._settings.reconcile_seconds)

    def _commit(self, leadership: Leadership, batch: Batch, *, beside: bool) -> None:
        commit = batch.commit(leadership.epoch, self._position, self._read, self._clock.now())
        self._admissions.store(commit)
        if self._conflicts:  # a row that lingers in the queue may have been it
            commit.dropped.extend(row["step_id"] for row in commit.queued)
        self._faults.reached("decided")
        send = self._committer.beside if beside else self._committer.here
        self._under_way = send(batch, commit)

    def _send(self, commit: Commit) -> None:
        try:
            self._ledger.commit(commit)
        finally:  # where the answer is lost, it may have been stored all the same
            if commit.queued:
                self._ring("queue")
            if commit.answers or any(row["ended_at"] for row in commit.tasks):
                self._ring("ended")
            if commit.signalled:
                self._ring("cancel")
            if commit.limits is not None and commit.limits.makes_room:
                self._ring("room")

    def _settle(self) -> bool:
        """Wait for the commit that is under way. False: it was refused, and all is read again."""
        if self._under_way is None:
            return True
        under_way, self._under_way = self._under_way, None
        try:
            under_way.outcome.result()
        except StreamMoved as moved:
            self._log.emit(Signal.COORDINATOR_CONFLICT, reason=str(moved))
            self._runs.forget_all()
            self._admissions.forget()
            self._put_off = {}
            self._read = self._position
            self._conflicts += 1
            self._ask_clock_at = self._clock.now()
            return False
        self._faults.reached("committed")
        self._stored(under_way.batch, under_way.commit)
        return True

    def _stored(self, batch: Batch, commit: Commit) -> None:
        self._position = commit.new
        self._conflicts = 0
        self._admissions.stored(commit)
        self._renew_at = self._clock.now() + timedelta(seconds=self._settings.lease_seconds / 3)
        self._runs.forget(run.task_id for run in batch.runs if run.ended)
        self._queued += len(commit.queued)
        if self._queued >= self._settings.vacuum_steps:
            self._queued = 0
            self._committer.after(self._ledger.tidy)
        self._ask_clock_at = min([self._ask_clock_at, *(row["due_at"] for row in commit.timers)])
        self._log.emit(
            Signal.COORDINATOR_BATCH_COMMITTED, position=commit.new, events=len(commit.events)
        )

    def _pause(self) -> float:
        next_at = self._admissions.next_at(min(self._ask_clock_at, self._renew_at))
        return max(0.0, (next_at - self._clock.now()).total_seconds())
