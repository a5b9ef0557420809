"""Joint rounds: a worker of the same process needs nobody else for its next step.

Apart, a step takes three transactions, one after the other: the worker reports an outcome, the
coordinator decides, and a worker claims what was queued. Where both are in one process, and the
coordinator leads the task's shard, the worker hands it the outcomes. It folds them, decides, and
stores them with the decisions and with what the worker runs next, in one transaction and one round
trip.

What is queued and stands before all that is in the queue starts with the round: its start is among
what is stored, and its queue row is the worker's from the first. For the rest of its places the
worker claims what the queue gives, and the database writes those starts.

The shard's position then moves past the outcomes and the starts that were stored with them. That is
right only where no other fact of the shard stands before them in the log; the database looks, and
refuses the round where one does. So the order of decisions stays that of the log, and whoever leads
next finds what an ordinary commit would have left. The starts that the database wrote for claims
are the next facts: the next round folds them without reading them, and the database counts them.

What can go wrong
-----------------

- The coordinator is in the middle of a step: the worker waits for it, but not long. It is behind,
  or does not lead: the worker's exchange goes its ordinary way.
- The round is refused, because others' facts came in between, the step was taken away, another
  leads or the worker may start nothing: nothing of it is stored, what it touched in memory is
  dropped, and the exchange goes its ordinary way. After each refusal in a row twice as many
  exchanges do so at once.
- Tasks are created while the round is on its way: that is no reason to refuse it. The position
  moves past them, and the shard's row says that they are next (`creations_left_behind.py`).
- The answer is lost: the worker doubts its claims and reports again, as after any exchange; what is
  stored already counts as accepted. The coordinator drops what is in memory and asks who leads.
- The process dies: what it runs are rows of the queue in a dead worker's name, and lost as any
  other.
- Something else is queued, by another shard: the front of the queue is as of the last look, and
  such a step may be overtaken by one round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

from flowledger.engine.errors import (
    LeadershipLost,
    StatementRefused,
    StreamMoved,
    UnstorableEvent,
)
from flowledger.engine.events.base import Recorded, Unreadable
from flowledger.engine.ports.coordinator import Commit, Leadership, Start, WorkerPart
from flowledger.engine.ports.worker import Claim, Exchange
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from flowledger.engine.runtime.coordinator.coordinator import Coordinator
from flowledger.engine.runtime.coordinator.quarantine import UNDECIDABLE

MOST_SKIPPED = 63
"""So many exchanges go their ordinary way after a refusal, once many rounds were refused."""

TURN_SECONDS = 0.05
"""So long does a worker wait for a coordinator that is at work itself."""

NEVER = datetime.min.replace(tzinfo=UTC)
MOMENT = timedelta(milliseconds=5)
"""By so much may its loop look later at what has become due."""


class JointCoordinator(Coordinator):
    """A coordinator that takes what a worker of this process brings, while it is at rest itself."""

    _starts: Sequence[Start] | None = None
    """The next facts, where they are known."""
    _front = -inf
    """The smallest sort key in the queue, as far as it is known; infinity: nothing is queued."""
    _asleep_until = NEVER
    _skipped = _to_skip = 0

    def step(self, woken_by: frozenset[str] = frozenset()) -> float:
        """As any coordinator. Waits while a worker's part is decided on."""
        with self._turn:
            wait = super().step(woken_by)
            self._asleep_until = self._clock.now() + timedelta(seconds=wait)
        return wait

    def join(self, part: WorkerPart) -> Exchange | None:
        """Decide on a worker's facts, and store them with what follows and what it runs next.

        For any thread. None where that is not possible right now: nothing of the part is stored
        then. Raises DatabaseUnavailable, after which it may be stored.
        """
        if self._skipped < self._to_skip:
            self._skipped += 1
            return None
        if not self._turn.acquire(timeout=TURN_SECONDS):
            return None
        try:
            leadership = self._at_rest()
            return None if leadership is None else self._round(leadership, part)
        except LeadershipLost:
            self._lost()
            return None
        except BaseException:
            self.forget()
            raise
        finally:
            self._turn.release()

    def went_apart(self) -> None:
        """A worker of this process went its ordinary way: what is next in the log is to be read."""
        self._starts = None

    def resign(self) -> None:
        """Let another lead at once. Waits for a round that is under way."""
        with self._turn:
            super().resign()

    def forget(self) -> None:
        """Stop believing anything that is not stored."""
        self._starts, self._front = None, -inf
        super().forget()

    def _read(self, limit: int) -> Sequence[Recorded | Unreadable]:
        self._starts = None  # they are among what is read
        return super()._read(limit)

    def _begin_anew(self) -> None:
        self._starts, self._front = None, -inf
        super()._begin_anew()

    def _stored(self, batch: CommitBatch, commit: Commit) -> None:
        free = (row["sort_key"] for row in commit.queued if "worker" not in row)
        self._front = min(self._front, min(free, default=inf))
        super()._stored(batch, commit)

    def _at_rest(self) -> Leadership | None:
        """The leadership, where nothing has to be done first."""
        if self._conflicts or self._apart or self._refusals.outage is not None:
            return None
        if not self._assignment.wanted or self._clock.now() >= self._renew_at:
            return None
        if self._watch.was_put_back():
            self.forget()
        return self._leadership

    def _round(self, leadership: Leadership, part: WorkerPart) -> Exchange | None:
        if not self._await_commit():
            return None
        self._runs.shrink()
        self._runs.careful = False
        self._quarantine.begin(certain=True)
        self._decider.begin_batch()
        batch = CommitBatch(self._settings.priority_ageing_seconds, self._settings.max_lost_leases)
        starts, self._starts = self._starts, None
        if self._left.behind is not None:
            starts = None
        if starts is None and not self._catch_up(batch):
            return None
        if not self._decider.follow(part.facts, starts or ()):
            self._store_ordinarily(leadership, batch)
            return None
        self._decider.take_own(batch, starts or (), part.facts)
        if not self._is_sound(leadership):
            return None
        self._decider.let_go(batch, look=False)
        begun = self._start_here(batch, part)
        return self._stored_jointly(leadership, batch, part, len(starts or ()), begun)

    def _start_here(self, batch: CommitBatch, part: WorkerPart) -> Sequence[Claim]:
        """Start what this round queues and what stands before all that is in the queue."""
        claims = list[Claim]()
        now = self._clock.now()
        for sort_key, run, number in () if part.alone else batch.startable(now):
            if not sort_key < self._front or len(claims) >= part.limit:
                break
            if run.plan.template_id in part.templates:
                with self._quarantine.of(run.task_id):
                    claims.append(self._decider.start_here(batch, run, number, part.worker, now))
        return claims

    def _catch_up(self, batch: CommitBatch) -> bool:
        """Take what is in the log; False where that is too much for a worker to wait for."""
        decider, limit = self._decider, self._settings.batch_size
        facts = self._read(limit)
        if len(facts) >= limit:
            self._left.again()
            return False
        decider.take(batch, facts)
        decider.read_up_to(facts[-1].position if facts else decider.read)
        return True

    def _store_ordinarily(self, leadership: Leadership, batch: CommitBatch) -> None:
        """What was read is decided on, and the worker's facts are not the next of their steps."""
        if not self._is_sound(leadership) or not batch:
            return
        self._decider.let_go(batch, look=False)
        if self._is_sound(leadership):
            self._commit(leadership, batch, background=False)
            self._await_commit()

    def _stored_jointly(
        self,
        leadership: Leadership,
        batch: CommitBatch,
        part: WorkerPart,
        known: int,
        begun: Sequence[Claim],
    ) -> Exchange | None:
        if not self._is_sound(leadership):
            return None
        decider = self._decider
        commit = batch.commit(leadership.epoch, self._position, decider.read, self._clock.now())
        commit.dropped = sorted({*commit.dropped, *(fact.originator_id for fact in part.facts)})
        self._admissions.store(commit)
        self._crash_points.reached("decided")
        looks = part.looks or self._front != inf
        left = replace(part, limit=part.limit - len(begun), looks=looks)
        try:
            answer = self._store.commit_jointly(commit, left, known)
        except StreamMoved:
            self._undo()
            return None
        except (StatementRefused, UnstorableEvent, *UNDECIDABLE):
            self._begin_anew()
            self._skip_more()
            return None
        finally:
            self._tell(commit, queue=False)
        self._crash_points.reached("committed")
        self._to_skip //= 2
        commit.new = decider.read = answer.position
        commit.created_from = self._left.behind = answer.created_from
        self._starts = None if answer.exchange.refused else answer.starts
        self._stored(batch, commit)
        self._front = self._front if answer.front is None else answer.front
        if len(commit.queued) > len(begun) and len(answer.exchange.claims) >= left.limit:
            self._notify("queue")
        next_at = min(decider.next_at, self._renew_at)
        if self._left.behind is not None or next_at < self._asleep_until - MOMENT:
            self._notify("fact")
        return Exchange([*begun, *answer.exchange.claims], answer.exchange.refused)

    def _undo(self) -> None:
        """The round is refused because others were first: what it touched is folded again."""
        self._starts, self._front = None, -inf
        self._left.again()
        self._decider.forget_batch(self._position)
        self._skip_more()

    def _skip_more(self) -> None:
        self._skipped, self._to_skip = 0, min(2 * self._to_skip + 1, MOST_SKIPPED)
