"""The loop of a coordinator, cut into steps; the package has the essay on what can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import RLock
from uuid import UUID

from flowledger.engine.config.limit_settings import LimitSettings
from flowledger.engine.config.sections import CoordinatorSettings
from flowledger.engine.errors import (
    LeadershipLost,
    PositionBehindLog,
    StatementRefused,
    StreamMoved,
)
from flowledger.engine.events.base import Recorded, Unreadable
from flowledger.engine.ports.clock_and_wakeup import (
    NO_CRASH_POINTS,
    WAKEFUL_SECONDS,
    Clock,
    CrashPoints,
    PutBackWatch,
)
from flowledger.engine.ports.coordinator import Commit, CoordinatorStore, Leadership
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch, channels_of
from flowledger.engine.runtime.coordinator.commit_pipeline import CommitPipeline, PendingCommit
from flowledger.engine.runtime.coordinator.creations_left_behind import CreationsLeftBehind
from flowledger.engine.runtime.coordinator.log_task_endings import log_ended_tasks
from flowledger.engine.runtime.coordinator.quarantine import UNDECIDABLE
from flowledger.engine.runtime.coordinator.shard_decider import Decider
from flowledger.engine.runtime.coordinator.should_lead_shard import (
    PARTS_OF_LEASE,
    AlwaysWanted,
    WantedShard,
)
from flowledger.engine.runtime.coordinator.task_fault_or_database_outage import Refusals
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

NO_LIMITS = LimitSettings()
VALUES = ("22", "23", "54")
"""What the server's codes begin with where a value is wrong, and not the statement or the right."""

ABOUT = timedelta(seconds=1)  # by less the clocks of processes and of the database differ

LOOKS_BETWEEN = 4
"""After so many does it look whether the row of its shard is as it left it: its commits say so."""

CLOCK = frozenset({"clock"})
CONFLICTS_IN_A_ROW = 3  # after which the position is looked at
MOST_DOUBLINGS = 10  # of the batch's size, while commits are refused


class Coordinator:
    """A loop cut into steps: `step` does one and says how long to wait for the next."""

    def __init__(  # noqa: PLR0913 - what a loop needs, each a port
        self,
        *,
        store: CoordinatorStore,
        clock: Clock,
        notify: Callable[[str], None],
        identity: UUID,
        settings: CoordinatorSettings,
        limits: LimitSettings = NO_LIMITS,
        crash_points: CrashPoints = NO_CRASH_POINTS,
        assignment: WantedShard | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._watch = PutBackWatch(clock)
        self._notify = notify
        self._identity = identity
        self._settings = settings
        self._crash_points = crash_points
        self._assignment = assignment or AlwaysWanted()
        self._decider = Decider(store, clock, settings, limits)
        self._admissions = self._decider.admissions
        self._quarantine = self._decider.quarantine
        self._refusals = Refusals()
        self._runs = self._decider.runs
        self._leadership: Leadership | None = None
        self._pipeline = CommitPipeline(self._send)
        self._pending: PendingCommit | None = None
        self._queued = 0  # since the last tidying
        self._apart = 0  # batches of one task that are still to be tried
        self._conflicts = 0  # since the last commit that was stored
        self._position = 0  # stored
        self._left = CreationsLeftBehind(store)
        self._stored_at = clock.now() - timedelta(days=1)
        patience = settings.lease_seconds / PARTS_OF_LEASE
        self._patience = min(settings.poll_seconds, patience)
        seldom = LOOKS_BETWEEN * max(settings.poll_seconds, patience)
        renews = seldom if self._assignment.renewed else patience
        self._renews_after = timedelta(seconds=renews)
        self._renew_at = clock.now()
        self._silent_at: datetime | None = None  # it waits until then for no other reason
        self._turn = RLock()  # of its own steps, and of what a worker in this process joins in
        self._log = logger("coordinator", shard=self._assignment.shard)

    @property
    def leads(self) -> bool:
        """Whether it believes to lead."""
        return self._leadership is not None

    @property
    def parked(self) -> Mapping[UUID, str | None]:
        """The tasks that are left alone, and why; None where that is still to be tried again."""
        return self._quarantine.parked if self.leads else {}

    def step(self, woken_by: frozenset[str] = frozenset()) -> float:
        """Do what there is to do; `woken_by` says what woke it.

        Returns the seconds that it may wait: 0 where more may be waiting already. Raises
        DatabaseUnavailable and PositionBehindLog; the next step then starts from what is stored.
        """
        try:
            if self._watch.was_put_back():  # all that is waited for is of the time that was
                self.forget()
            if "shard" in woken_by:  # it may be another's, or its rows may have been mended
                self._renew_at = self._clock.now()
            if not self._assignment.wanted:
                self.resign()
                return self._settings.poll_seconds
            leadership = self._lead()
            if leadership is None:
                return self._settings.poll_seconds
            if self._was_renewed(woken_by):
                return self._pause()
            return self._past_outage(self._work(leadership, woken_by))
        except LeadershipLost:
            self._lost()
            return self._patience
        except BaseException:
            self.forget()
            raise

    def _past_outage(self, wait: float) -> float:
        """Within an outage go on until something is stored; raise what the server said of it."""
        while self._refusals.outage is not None:
            leadership = self._lead() if wait == 0.0 else None
            if leadership is None:
                raise self._refusals.outage
            wait = self._work(leadership, CLOCK)
        return wait

    def _lost(self) -> None:
        self._log.emit(Signal.COORDINATOR_LOST)
        self._quarantine.clear_suspicions()
        self.forget()

    def forget(self) -> None:
        """Stop believing anything that is not stored."""
        if self._pending is not None:
            self._pending.outcome.exception()
            self._pending = None
        self._leadership = None
        self._decider.forget()

    def resign(self) -> None:
        """Let another lead at once."""
        if self._leadership is not None and self._await_commit():
            self._store.resign(self._leadership.epoch)
            self._log.emit(Signal.COORDINATOR_RESIGNED)
        self.forget()

    def close(self) -> None:
        """Commit nothing any more."""
        self._pipeline.close()

    def _lead(self) -> Leadership | None:
        now = self._clock.now()
        if self._leadership is None or now >= self._renew_at:
            found = self._store.lead(self._identity, self._settings.lease_seconds)
            if found is None:
                self._assignment.refused()
                self.forget()
                return None
            stands = found.position if self._pending else self._position  # or it was restored
            if self._leadership is None or found != Leadership(self._leadership.epoch, stands):
                self.forget()
                self._elected(found)
            self._renew_at = self._clock.now() + self._renews_after
        return self._leadership

    def _elected(self, leadership: Leadership) -> None:
        self._log.emit(Signal.COORDINATOR_ELECTED, epoch=leadership.epoch)
        self._leadership = leadership
        self._position = leadership.position
        self._left.elected()
        self._decider.elected(leadership.position)

    def _work(self, leadership: Leadership, woken_by: frozenset[str]) -> float:
        decider, settings = self._decider, self._settings
        if self._pending is None:
            self._runs.shrink()
        self._runs.careful = self._conflicts > 0
        self._quarantine.begin(certain=self._pending is None)
        decider.begin_batch()
        batch = CommitBatch(settings.priority_ageing_seconds, settings.max_lost_leases)
        limit = settings.batch_size << min(self._conflicts, MOST_DOUBLINGS)
        decider.apart = self._apart > 0
        if decider.apart:
            self._apart -= 1
            limit = self._apart % 2  # a fact, or what the clock asks for, in turn
            woken_by = woken_by if limit else CLOCK
        facts = self._read(limit) if limit else ()
        decider.take(batch, facts)
        # What failed may contradict decisions under way, which the log then refuses because of it.
        if not self._await_commit() or not self._is_sound(leadership):
            return 0.0
        self._quarantine.certain = True
        decider.read_up_to(facts[-1].position if facts else self._store.safe_position(decider.read))
        asked = not (decider.apart and facts) and decider.ask_clock(batch, woken_by)
        decider.let_go(batch, look=asked or "room" in woken_by)
        if not self._is_sound(leadership):
            return 0.0
        # Others' facts were passed over: to store that for each of them would cost a commit each.
        changed = batch or facts or self._admissions.control.unsaved or self._left.is_outdated
        if not changed and not (asked and decider.read > self._position):
            return 0.0 if decider.apart else self._pause()
        hurry = len(facts) >= settings.pipeline_events
        hurry = hurry and not self._runs.crowded  # it is shrunk between commits only
        self._commit(leadership, batch, background=hurry)
        stored = not hurry and self._await_commit()
        return self._pause() if stored and len(facts) < limit and not decider.apart else 0.0

    def _read(self, limit: int) -> Sequence[Recorded | Unreadable]:
        """What is next: tasks that were left behind when they were created, and facts."""
        if self._left.behind is not None:  # they may be decided on: by a commit that came late
            self._runs.careful = True
        left = self._left.read(self._decider.read, limit)
        more = self._left.behind is not None
        return left if more else [*left, *self._store.facts(self._decider.read, limit)]

    def _is_sound(self, leadership: Leadership) -> bool:
        """Whether nothing of the batch at hand failed. Else nothing of it counts; all begins anew.

        What cannot be folded may follow from decisions that it does not know of: another has led
        meanwhile, or a commit that was cut off has arrived after all. Raises LeadershipLost then,
        and PositionBehindLog where no task is at fault but the position.
        """
        if self._quarantine.unsaved or self._quarantine.spoiled:
            self._check_position()
        if self._quarantine.unsaved:
            self._runs.forget(self._quarantine.unsaved)
            self._store.park(leadership.epoch, self._position, self._quarantine.unsaved)
            self._quarantine.saved()
        if not self._quarantine.spoiled:
            return True
        found = self._store.lead(self._identity, self._settings.lease_seconds)
        if found != Leadership(leadership.epoch, self._position):
            raise LeadershipLost("the shard has moved on")
        self._begin_anew()
        self._decider.look(self._position)
        return False

    def _check_position(self) -> None:
        """Raises PositionBehindLog where the stored position cannot be right, by the log.

        Raises LeadershipLost where it is the position in memory that is behind.
        """
        decided = self._store.last_decided(self._position)
        if decided is None:
            return
        found = self._store.lead(self._identity, self._settings.lease_seconds)
        if found is None or found.position != self._position:
            raise LeadershipLost("the shard has moved on")
        raise PositionBehindLog(self._assignment.shard, self._position, decided)

    def _begin_anew(self) -> None:
        """Read all again from what is stored."""
        self._left.again()
        self._decider.forget()
        self._decider.again(self._position)

    def _commit(self, leadership: Leadership, batch: CommitBatch, *, background: bool) -> None:
        commit = batch.commit(
            leadership.epoch, self._position, self._decider.read, self._clock.now()
        )
        commit.created_from = self._left.behind
        self._admissions.store(commit)
        lately = (
            timedelta()
            <= self._clock.now() - self._stored_at
            < timedelta(seconds=WAKEFUL_SECONDS / 2)
        )
        if commit.events and not lately:  # who follows the log may be asleep
            commit.answers = True
        if self._conflicts:  # a row that lingers in the queue may have been it
            commit.dropped.extend(row["step_id"] for row in commit.queued)
        self._crash_points.reached("decided")
        send = self._pipeline.commit_in_background if background else self._pipeline.commit
        self._pending = send(batch, commit)

    def _send(self, commit: Commit) -> None:
        try:
            self._store.commit(commit)
        finally:  # where the answer is lost, it may have been stored all the same
            self._tell(commit)

    def _tell(self, commit: Commit, *, queue: bool = True) -> None:
        for channel in channels_of(commit, queue=queue):
            self._notify(channel)

    def _await_commit(self) -> bool:
        """Wait for the commit that is under way. False: it was refused, and all is read again."""
        if self._pending is None:
            return True
        pending, self._pending = self._pending, None
        try:
            pending.outcome.result()
        except StreamMoved as moved:
            self._log.emit(Signal.COORDINATOR_CONFLICT, reason=str(moved))
            self._begin_anew()
            self._conflicts += 1
            if self._conflicts == CONFLICTS_IN_A_ROW:
                self._check_position()
            return False
        except (StatementRefused, *UNDECIDABLE) as error:
            self._refused(pending, error)
            return False
        self._crash_points.reached("committed")
        self._stored(pending.batch, pending.commit)
        return True

    def _refused(self, pending: PendingCommit, error: Exception) -> None:
        """Something about one of the tasks cannot be stored: each is tried apart, to find which.

        Raises the error where it is not about what is stored.
        """
        state = error.sqlstate if isinstance(error, StatementRefused) else VALUES[0]
        runs = pending.batch.runs
        if not state.startswith(VALUES) or not runs:
            raise error
        self._begin_anew()
        if len(runs) > 1:
            self._apart = 2 * len(runs)
            return
        task_id = runs.pop().task_id
        in_outage = self._refusals.outage is not None
        if not self._refusals.blames(task_id, error):
            raise error
        reason = f"what was decided about it cannot be stored: {error}"
        self._store.park(pending.commit.epoch, self._position, {task_id: reason})
        self._quarantine.park(task_id, reason, told=not in_outage)
        self._quarantine.saved()

    def _stored(self, batch: CommitBatch, commit: Commit) -> None:
        self._position = commit.new
        self._left.stored(commit.created_from)
        if commit.events:
            self._stored_at = self._clock.now()
        self._conflicts = 0
        self._quarantine.clear_suspicions()
        self._admissions.stored(commit)
        if batch.unparked:
            self._refusals.unparked(batch.unparked)
            self._store.unpark(commit.epoch, batch.unparked)
            self._log.emit(Signal.COORDINATOR_TASKS_UNPARKED, tasks=len(batch.unparked))
        if commit.events and self._refusals.stored():
            self._decider.try_parked()
        self._renew_at = self._clock.now() + self._renews_after
        self._runs.forget(run.task_id for run in batch.runs if run.ended)
        self._queued += len(commit.queued)
        if self._queued >= self._settings.vacuum_every_steps:
            self._queued = 0
            self._pipeline.run_when_idle(self._store.vacuum_queue)
        for row in commit.timers:
            self._decider.ask_at(row["due_at"])
        self._log.emit(
            Signal.COORDINATOR_BATCH_COMMITTED, position=commit.new, events=len(commit.events)
        )
        log_ended_tasks(self._log, batch)

    def workers_are_there_until(self, moment: datetime | None) -> bool:
        """The first of the leases of workers runs out then. For any thread.

        Returns whether that is sooner than it knew. What is about to run out by what it knew it
        looks at first: another answer may be of after that, and not speak of it any more.
        """
        known = self._decider.silent_at
        if known is None or known > self._clock.now() + ABOUT:
            self._decider.silent_at = moment
        return moment is not None and (known is None or moment < known)

    def _was_renewed(self, woken_by: frozenset[str]) -> bool:
        """Whether it woke up only for the end of a worker's lease, which was renewed meanwhile."""
        waited, self._silent_at = self._silent_at, None
        now = self._clock.now()
        at = waited is not None and waited <= now < self._decider.next_at
        return at and not woken_by and self._pending is None

    def _pause(self) -> float:
        silent_at, next_at = self._decider.silent_at, min(self._decider.next_at, self._renew_at)
        self._silent_at = silent_at if next_at == silent_at else None
        seconds = (next_at - self._clock.now()).total_seconds()
        return max(0.0, min(seconds, self._settings.poll_seconds))
