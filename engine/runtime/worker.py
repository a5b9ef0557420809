"""The worker: claims steps, runs their handlers, reports what came of them.

Who owns what. A worker owns the queue rows that carry its id, as long as its lease is renewed. It
appends facts to the streams of these steps and to no others. It never decides what follows.

One step of the loop. Everything that ended since the last exchange is reported, and as many steps
are claimed as there are free slots, in one transaction; while that is under way the next outcomes
collect. So batches are as large as the load makes them, and an idle worker waits for nothing.

What is authoritative. The stream of the step: a start or an outcome that the log refuses means that
the step is someone else's, whatever this worker remembers.

What can go wrong.
- The step was taken away, by a timeout or because the lease ran out: the report is refused, the
  outcome is dropped.
- The answer to an exchange is lost: the facts are reported again, which the log recognises by their
  bytes; claims that went through are found on the board and run.
- The worker dies: its lease runs out, the coordinator gives its steps to others.
- The database is away: handlers go on, outcomes wait, nothing is claimed.
- It is told to stop: nothing is claimed any more; what still runs when the grace ends is handed
  back, which the log records.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from flowledger.engine.config import Worker as WorkerSettings
from flowledger.engine.domain.events import StepCompleted, StepEvent, StepHandedBack, StepStarted
from flowledger.engine.domain.lease import Lease
from flowledger.engine.ports import NO_FAULTS, Bell, Claim, Clock, FaultPoints, Workboard
from flowledger.engine.runtime.catalogue import Catalogue, Inputs
from flowledger.engine.runtime.jobs import Crew, Facts, Job
from flowledger.engine.telemetry import Signal, logger


class Worker:
    """A loop cut into steps: `step` does one and says how long to wait for the next."""

    def __init__(  # noqa: PLR0913 - what a loop needs, each a port
        self,
        *,
        board: Workboard,
        catalogue: Catalogue,
        clock: Clock,
        new_id: Callable[[], UUID],
        bell: Bell,
        ring: Callable[[str], None],
        settings: WorkerSettings,
        faults: FaultPoints = NO_FAULTS,
    ) -> None:
        self.identity = new_id()
        self._board = board
        self._catalogue = catalogue
        self._clock = clock
        self._bell = bell
        self._ring = ring
        self._settings = settings
        self._faults = faults
        self._facts = Facts(self.identity, clock, new_id)
        self._inputs = Inputs(board, catalogue, settings.result_cache_size)
        # The coordinator need not hurry to see that a step started, unless it must time it out.
        self._quiet = not catalogue.has_timeouts
        self._crew = Crew(self._facts, settings, self._ended)
        self._running: dict[UUID, Job] = {}
        self._superseded: dict[int, Job] = {}
        self._outcomes: deque[Job] = deque()
        self._unreported: list[StepEvent] = []
        self._lease: Lease | None = None
        self._may_claim = True
        self._paused = False
        self._ask_board = False
        self._stopping = False
        self._log = logger("worker")

    @property
    def busy(self) -> bool:
        """Whether handlers run or outcomes wait to be reported."""
        return bool(self._running or self._unreported)

    def renew(self) -> float:
        """Renew the lease. Returns the seconds until the next renewal. For a thread of its own."""
        settings = self._settings
        asked_at = self._clock.now()
        if self._lease is not None and not self._lease.is_trusted(asked_at):
            self._log.emit(Signal.WORKER_LEASE_LOST)
        first = self._lease is None
        self._board.renew(self.identity, settings.lease_seconds)
        self._lease = Lease(
            asked_at=asked_at,
            ttl=timedelta(seconds=settings.lease_seconds),
            margin=timedelta(seconds=settings.lease_margin_seconds),
        )
        if first:
            self._log.emit(Signal.WORKER_REGISTERED, worker=str(self.identity))
        return self._lease.renew_in(asked_at).total_seconds()

    def step(self, rung: frozenset[str] = frozenset()) -> float:
        """Report what ended, claim what is free, start what was claimed.

        Returns the seconds to wait for a bell. Raises DatabaseUnavailable; outcomes are kept then.
        """
        if "queue" in rung or (self._paused and not rung):
            self._may_claim = True
        wait = self._work()
        self._paused = wait > 0
        return wait

    def _work(self) -> float:
        self._collect()
        if self._ask_board:
            self._adopt()
        limit = self._claimable()
        if not self._unreported and not limit:
            return self._settings.poll_seconds
        claims = self._exchange(limit)
        self._start(claims)
        more = len(claims) == limit and self._claimable()
        return 0.0 if self._outcomes or more else self._settings.poll_seconds

    def stop_claiming(self) -> None:
        """From now on only report."""
        self._stopping = True

    def hand_back(self) -> None:
        """Give back what still runs, say so in the log, and forget the worker."""
        self._collect()
        for job in self._running.values():
            self._crew.cancel(job)
            self._unreported.append(self._facts.outcome(StepHandedBack, job))
        if self._unreported:
            self._exchange(0)
        self._running.clear()
        self._board.retire(self.identity)
        self._log.emit(Signal.WORKER_RELEASED, worker=str(self.identity))

    def close(self) -> None:
        """Start no handler any more."""
        self._crew.close()

    def _ended(self, job: Job) -> None:
        self._outcomes.append(job)
        self._bell.ring("outcome")

    def _collect(self) -> None:
        while self._outcomes:
            job = self._outcomes.popleft()
            self._superseded.pop(id(job), None)
            if self._running.get(job.claim.step_id) is not job:
                continue  # the step was taken away meanwhile, and may be running here anew
            del self._running[job.claim.step_id]
            if isinstance(job.fact, StepCompleted):
                self._inputs.completed(job.claim.step_id, job.fact.result)
            if job.fact is not None:
                self._unreported.append(job.fact)

    def _claimable(self) -> int:
        trusted = self._lease is not None and self._lease.is_trusted(self._clock.now())
        if self._stopping or not trusted or not self._may_claim:
            return 0
        at_work = len(self._running) + len(self._superseded)
        return max(0, min(self._settings.claim_size, self._settings.concurrency - at_work))

    def _exchange(self, limit: int) -> list[Claim]:
        facts = self._unreported
        self._faults.reached("exchanging")
        try:
            exchange = self._board.exchange(
                self.identity,
                facts,
                self._catalogue.templates,
                limit,
                self._started,
                quiet=self._quiet and not facts,
            )
            self._faults.reached("exchanged")
        except Exception:
            self._ask_board = True
            self._ring("fact")  # it may have been stored all the same
            raise
        self._unreported = []
        for fact in facts:
            if fact.originator_id in exchange.refused:
                self._log.emit(
                    Signal.WORKER_STEP_LOST,
                    correlation_id=fact.correlation_id,
                    task_id=str(fact.task_id),
                    step=fact.step,
                    attempt=fact.attempt,
                )
        if facts or not self._quiet:
            self._ring("fact")
        if limit:
            self._may_claim = len(exchange.claims) + len(exchange.refused) >= limit
        return list(exchange.claims)

    def _started(self, claim: Claim) -> StepStarted:
        plan = self._catalogue.plan(claim)
        return self._facts.make(StepStarted, claim, plan, claim.version, worker=self.identity)

    def _start(self, claims: list[Claim]) -> None:
        if not claims:
            return
        try:
            jobs = self._inputs.jobs(claims)
        except Exception:
            self._ask_board = True
            raise
        for job in jobs:
            self._supersede(self._running.get(job.claim.step_id))
            self._running[job.claim.step_id] = job
        self._crew.run(jobs)
        self._log.emit(Signal.WORKER_CLAIMED, steps=len(claims))

    def _supersede(self, job: Job | None) -> None:
        """An attempt that was given up still takes a place here until its handler ends."""
        if job is not None:
            self._superseded[id(job)] = job
            self._crew.cancel(job)

    def _adopt(self) -> None:
        """Run what an exchange claimed whose answer was lost."""
        known = {fact.originator_id for fact in self._unreported} | self._running.keys()
        held = [claim for claim in self._board.held(self.identity) if claim.step_id not in known]
        self._ask_board = False
        self._start(held)
