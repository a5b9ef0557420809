"""The loop of a worker, cut into steps; the package has the essay on what can go wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from uuid import UUID

from flowledger.engine.config.sections import WorkerSettings
from flowledger.engine.errors import StatementRefused, UnstorableEvent
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepCompleted, StepReleased
from flowledger.engine.ports.clock_and_wakeup import (
    NO_CRASH_POINTS,
    Clock,
    CrashPoints,
    PutBackWatch,
    Wakeup,
)
from flowledger.engine.ports.coordinator import ALONE, Coordinators
from flowledger.engine.ports.worker import Claim, Exchange, WorkerStore
from flowledger.engine.runtime.worker.exchanges import Exchanges
from flowledger.engine.runtime.worker.handler_heartbeats import watched
from flowledger.engine.runtime.worker.handler_table import HandlerTable
from flowledger.engine.runtime.worker.inputs import StepInputs
from flowledger.engine.runtime.worker.log_step_completions import CompletedSteps
from flowledger.engine.runtime.worker.outbox import Outbox, UnconfirmedExchanges
from flowledger.engine.runtime.worker.outcomes import EventFactory, ExecutorFactory, Outcomes
from flowledger.engine.runtime.worker.renewed_lease import RenewedLease
from flowledger.engine.runtime.worker.step_attempt_state import Execution
from flowledger.engine.runtime.worker.stuck_health import stuck_health
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Health

SOON_SECONDS = 1.0
"""Between two looks for what nobody tells: an answer that was lost, steps that are to run alone."""

REPORTS_AT_THE_END = 3
"""How often a stopping worker reports what a checkpoint or a signal had moved on meanwhile."""


def nobody() -> None:
    """Nobody is told."""


class Worker:
    """A loop cut into steps: `step` does one and says how long to wait for the next."""

    _isolated: bool = False

    def __init__(  # noqa: PLR0913 - what a loop needs, each a port
        self,
        *,
        store: WorkerStore,
        handlers: HandlerTable,
        executor: ExecutorFactory,
        clock: Clock,
        new_id: Callable[[], UUID],
        wakeup: Wakeup,
        notify: Callable[[str], None],
        settings: WorkerSettings,
        crash_points: CrashPoints = NO_CRASH_POINTS,
        limbo_seconds: float = 60.0,
        coordinators: Coordinators = ALONE,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self.identity = new_id()
        self.on_stuck = self.on_lease_ended = nobody
        self.handlers_health = Health()
        self._store = store
        self._handlers = handlers
        self._clock = clock
        self._wakeup = wakeup
        self._notify = notify
        self._settings = settings
        self._facts = EventFactory(self.identity, clock, new_id)
        self._inputs = StepInputs(store, handlers, self._facts, settings)
        self._completed = CompletedSteps(2 * settings.concurrency)
        outcomes = Outcomes(self._facts, settings, handlers.classifier)
        self._executor = executor(outcomes, settings, self._ended)
        self._running: dict[UUID, Execution] = {}
        self._timed_out: dict[UUID, Execution] = {}  # ended; the coordinator is yet to say so
        self._abandoned: dict[int, tuple[Execution, datetime]] = {}
        self._outcomes: deque[Execution] = deque()
        self._outbox = Outbox(self.identity, store, self._facts)
        self._exchanges = Exchanges(
            *(self.identity, store, handlers, coordinators, notify, crash_points),
            *(self._exchange_failed, elapsed, settings.locality_seconds),
        )
        regained = partial(wakeup.notify, "queue")  # what was queued meanwhile it did not claim
        self._lease = RenewedLease(self.identity, store, clock, settings, elapsed, regained)
        self._watch = PutBackWatch(clock)
        self._check_at = self._isolate_at = clock.now()
        self._may_claim = self._looks_for_alone = True  # there may be steps that are to run alone
        self._paused = self._doubts_claims = self._stopping = False
        self._soon = min(SOON_SECONDS, settings.poll_seconds)
        self._unconfirmed = UnconfirmedExchanges(
            elapsed, lasts_seconds=limbo_seconds, poll_seconds=self._soon
        )
        self._log = logger("worker")

    @property
    def busy(self) -> bool:
        """Whether handlers run or outcomes wait to be reported; abandoned handlers do not count."""
        return bool(self._running or self._outbox.waiting)

    @property
    def running(self) -> int:
        """How many handlers run, abandoned ones not counted. For any thread."""
        return len(self._running)

    def renew(self) -> float:
        """Renew the lease. Returns the seconds until the next renewal. For a thread of its own."""
        return self._lease.renew()

    def step(self, woken_by: frozenset[str] = frozenset()) -> float:
        """Report what ended, claim what is free, start what was claimed.

        Returns the seconds to wait. Raises DatabaseUnavailable; outcomes are kept then.
        """
        if "queue" in woken_by or (self._paused and not woken_by):
            self._may_claim = self._looks_for_alone = True
        if self._watch.was_put_back():
            self._check_at = self._isolate_at = self._clock.now()
        if "cancel" in woken_by:
            self._check_at = self._clock.now()
        wait = self._work()
        self._paused = wait > 0
        if not self._lease.is_trusted:
            self.on_lease_ended()
        return wait

    def _work(self) -> float:
        self._collect()
        self._reconcile_claims()
        if self._doubts_claims:
            self._adopt_claims()
        self._check_claims()
        limit = self._claimable()
        if not self._outbox.waiting and not limit:
            return self._pause()
        self._exchange(limit)
        more = limit and self._claimable()
        return 0.0 if self._outcomes or self._outbox.waiting or more else self._pause()

    def _pause(self) -> float:
        now = self._clock.now()
        moments = [self._check_at] if self._running or self._abandoned else []
        if self._looks_for_alone and now < self._isolate_at:  # else it may not claim now
            moments.append(self._isolate_at)
        seconds = [(moment - now).total_seconds() for moment in moments]
        seconds += [self._settings.poll_seconds, self._unconfirmed.seconds_left()]
        return max(0.0, min(seconds))

    def stop_claiming(self) -> None:
        """From now on only report."""
        self._stopping = True

    def hand_back(self) -> None:
        """Give back what still runs, say so in the log, and forget the worker."""
        self._collect()
        for job in self._running.values():
            self._outbox.add(self._facts.outcome(StepReleased, job, reason="it stops"))
            job.attempt.give_up()
            self._executor.stop(job)
        for _ in range(REPORTS_AT_THE_END):
            if self._outbox.waiting:
                self._exchange(0)
        self._running.clear()
        self._store.retire(self.identity)
        self._log.emit(Signal.WORKER_RELEASED, worker=str(self.identity))

    def close(self) -> None:
        """Start no handler any more."""
        self._executor.close()

    def _ended(self, job: Execution) -> None:
        self._outcomes.append(job)
        self._wakeup.notify("outcome")

    def _collect(self) -> None:
        if not self._outcomes:
            return
        reporting, told = self._outbox.steps, self._completed.are_told
        while self._outcomes:
            job = self._outcomes.popleft()
            abandoned = self._abandoned.pop(id(job), None) is not None
            if not abandoned:
                self._running.pop(job.claim.step_id, None)
            if told:
                self._completed.ended(job)
            if job.stored is not None:
                self._completed.stored(job.stored)
                self._inputs.completed(job.claim.step_id, job.stored.result, job.sessions)
                self._notify("fact")
            elif job.fact is None:
                self._end_unreported(job)
            elif job.claim.step_id not in self._running and job.claim.step_id not in reporting:
                # The log would refuse this attempt where a later one is here, and both with it.
                reporting.add(job.claim.step_id)
                self._outbox.add(job.fact)

    def _end_unreported(self, job: Execution) -> None:
        """The coordinator ends an attempt that ran too long; any other one is made again."""
        if job.timeout_seconds is None:
            self._doubts_claims = True
        elif not job.attempt.lost:
            self._timed_out[job.claim.step_id] = job

    def _check_claims(self) -> None:
        """Check the claims of running steps; count the slots that abandoned handlers take."""
        now = self._clock.now()
        if now < self._check_at:
            return
        jobs = self._running | self._timed_out
        beats = {step: job.attempt.take_beat() for step, job in jobs.items()}
        held = watched(self._store, self.identity, beats, self._log)
        for step, job in jobs.items():
            found = held.get(step)
            if found is None or found.attempt != job.claim.attempt:
                self._give_up(job, now)
                continue
            known = job.attempt.cancelled
            job.attempt.moved(found)
            if job.attempt.cancelled and not known:
                self._executor.stop(job)
        self._check_abandoned(now)
        self._check_at = now + timedelta(seconds=self._settings.heartbeat_seconds)

    def _give_up(self, job: Execution, now: datetime) -> None:
        """An attempt that was taken away still takes a place here until its handler ends."""
        step = job.claim.step_id
        job.attempt.give_up()
        if self._timed_out.pop(step, None) is job:
            return
        if self._running.get(step) is job:
            del self._running[step]
        self._abandoned[id(job)] = (job, now)
        self._executor.stop(job)

    def _check_abandoned(self, now: datetime) -> None:
        """Abandoned handlers get the grace to end, as they may have been asked to."""
        grace = timedelta(seconds=self._settings.grace_seconds)
        abandoned = sum(now - since >= grace for _, since in self._abandoned.values())
        stuck = 2 * abandoned >= self._settings.concurrency
        if stuck is self.handlers_health.ok:
            self._store.set_stuck(self.identity, stuck=stuck)
            most = self._settings.concurrency
            self.handlers_health = stuck_health(now, abandoned, most) if stuck else Health()
            signal = Signal.WORKER_STUCK if stuck else Signal.WORKER_RECOVERED
            self._log.emit(signal, worker=str(self.identity), abandoned=abandoned)
        if stuck and not self.busy:
            self.on_stuck()

    def _claimable(self) -> int:
        if not self._is_fit():
            return 0
        now = self._clock.now()
        if self._looks_for_alone and now >= self._isolate_at:
            self._check_isolation(now)
        return self._places() if self._may_claim else 0

    def _is_fit(self) -> bool:
        return self._lease.is_trusted and self.handlers_health.ok and not self._stopping

    def _places(self) -> int:
        at_work = len(self._running) + len(self._abandoned) + self._outbox.stuck
        if self._isolated:
            full = at_work >= self._settings.concurrency
            return 0 if full or self.busy else 1
        return max(0, min(self._settings.claim_size, self._settings.concurrency - at_work))

    def _check_isolation(self, now: datetime) -> None:
        isolated = self._store.elect_isolated(self.identity, self._handlers.templates)
        if isolated is not self._isolated:
            self._isolated = isolated
            self._may_claim = True
            self._log.emit(Signal.WORKER_ISOLATED, worker=str(self.identity), isolated=isolated)
        self._looks_for_alone = isolated  # until there are no such steps any more
        self._isolate_at = now + timedelta(seconds=self._soon)

    def _exchange(self, limit: int) -> None:
        for facts in self._exchanges.of_shards(self._outbox.waiting):
            limit = self._exchange_jointly(facts, limit)
        facts = self._outbox.waiting
        if not facts and not limit:
            return
        try:
            exchange = self._exchanges.send(facts, limit)
        except (StatementRefused, UnstorableEvent):
            self._exchange_apart(limit)
        else:
            self._settle(facts, exchange, limit)

    def _exchange_jointly(self, facts: Sequence[StepEvent], limit: int) -> int:
        """Where a coordinator here takes them, it also has what follows from them start here.

        Returns how many steps are to be claimed yet.
        """
        places = limit or (self._places() if self._is_fit() else 0)
        looks, alone = limit > 0, self._isolated
        exchange = self._exchanges.joint(facts, places, looks=looks, alone=alone)
        if exchange is None:
            return limit
        self._settle(facts, exchange, places, looked=looks)
        return self._places() if limit and self._may_claim else 0

    def _settle(
        self, facts: Sequence[StepEvent], exchange: Exchange, limit: int, *, looked: bool = True
    ) -> None:
        if limit:
            full = len(exchange.claims) + len(exchange.refused) >= limit
            self._may_claim = full or (self._may_claim and not looked)
        self._handle_answer(facts, exchange)
        self._start(exchange.claims)

    def _exchange_apart(self, limit: int) -> None:
        """Each fact alone, then claims. If it raises, the queue says what was claimed."""
        refusal = self._outbox.one_by_one(self._exchanges.send, self._handle_answer)
        claims = self._exchanges.send([], limit).claims
        if refusal is not None:
            self._doubts_claims = True
            raise refusal
        self._start(claims)

    def _exchange_failed(self) -> None:
        """It may have been stored all the same."""
        self._doubts_claims = True
        self._unconfirmed.add()

    def _handle_answer(self, facts: Sequence[StepEvent], exchange: Exchange) -> None:
        """Refused facts of steps that are still ours get the next version; the others are lost."""
        refused = self._outbox.reported(facts, exchange.refused)
        anew = {claim.step_id for claim in exchange.claims}
        lost = anew | exchange.refused
        for fact in facts:
            if isinstance(fact, StepCompleted) and fact.originator_id not in lost:
                self._inputs.completed(fact.originator_id, fact.result)
                self._completed.stored(fact)
        if not refused:
            return
        try:
            unknown_claims = self._outbox.report_again(refused, self._running.keys() | anew)
        except Exception:
            self._doubts_claims = True  # the claims are not started
            raise
        self._doubts_claims = self._doubts_claims or unknown_claims

    def _start(self, claims: Sequence[Claim]) -> None:
        if not claims:
            return
        try:
            jobs = self._inputs.jobs(claims)
        except Exception:
            self._doubts_claims = True
            raise
        now = self._clock.now()
        for job in jobs:
            step = job.claim.step_id
            self._timed_out.pop(step, None)
            if step in self._running:
                self._give_up(self._running[step], now)
            self._running[step] = job
        self._executor.run([job for job in jobs if job.fact is None])
        for job in jobs:
            if job.fact is not None:
                self._ended(job)
        self._log.emit(Signal.WORKER_CLAIMED, steps=len(claims))

    def _reconcile_claims(self) -> None:
        """Read the claims once a poll while an exchange is unconfirmed, else at intervals."""
        if self._unconfirmed.is_due():
            self._doubts_claims = True

    def _adopt_claims(self) -> None:
        """Run what an exchange claimed whose answer was lost."""
        known = self._outbox.steps | self._running.keys() | self._timed_out.keys()
        claims = self._store.claims_of(self.identity)
        self._doubts_claims = False
        self._start([claim for claim in claims if claim.step_id not in known])
