"""Handlers as events on the agenda: they take their time, fail, are stopped, or come too late."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Sequence

from simulation.agenda import Crash
from simulation.process import Process

from flowledger.engine.errors import DatabaseUnavailable, InvalidResult, StepLost, StepStopRequested
from flowledger.engine.events.base import StepEvent
from flowledger.engine.runtime.worker.outcomes import Outcomes
from flowledger.engine.runtime.worker.step_attempt_state import Execution

DURATIONS = (0.0, 0.01, 0.3, 3.0, 40.0)


class AgendaExecutor:
    """The crew of a simulated worker. `ran` is told of every execution."""

    def __init__(
        self,
        process: Process,
        outcomes: Outcomes,
        done: Callable[[Execution], None],
        ran: Callable[[Execution], None],
    ) -> None:
        self._process = process
        self._world = process.world
        self._outcomes = outcomes
        self._done = done
        self._ran = ran
        self._running: set[int] = set()

    def run(self, jobs: Sequence[Execution]) -> None:
        """Start all of them."""
        for job in jobs:
            self._ran(job)
            self._running.add(id(job))
            self._plan(job)

    def stop(self, job: Execution) -> None:
        """Cancel a coroutine; a thread goes on."""
        if job.handler.is_async:
            self._world.after(0.0, lambda: self._end(job, self._failed(job, CancelledError())))

    def close(self) -> None:
        """Start nothing any more."""

    def _plan(self, job: Execution) -> None:
        random, limit = self._world.random, job.timeout_seconds
        seconds = random.choice(DURATIONS) * random.random()
        if job.handler.is_async and limit is not None and seconds > limit:
            self._world.after(limit, lambda: self._end(job, None))
        else:
            self._world.after(seconds, lambda: self._return(job))
        for _ in range(random.choice((0, 0, 1, 2))):
            self._world.after(seconds * random.random(), lambda: self._tell(job))

    def _tell(self, job: Execution) -> None:
        """Half-way the handler says how far it is."""
        if not self._runs(job):
            return
        tell = self._world.random.choice((job.attempt.checkpoint, job.attempt.heartbeat))
        try:
            tell({"at": job.claim.attempt})
        except (StepLost, StepStopRequested, DatabaseUnavailable) as error:
            self._end(job, self._failed(job, error))
        except Crash:
            self._process.die()

    def _return(self, job: Execution) -> None:
        if not self._runs(job):
            return
        random = self._world.random
        chance = random.random()
        if job.attempt.cancelled and chance < 0.5:
            self._end(job, self._failed(job, StepStopRequested(job.claim.step)))
        elif chance < 0.7:
            self._end(job, self._outcomes.completed(job, job.handler(job.call)))  # type: ignore[arg-type]
        else:
            error = OSError("no") if chance < 0.95 else InvalidResult("never")
            self._end(job, self._failed(job, error))

    def _failed(self, job: Execution, error: BaseException) -> StepEvent | None:
        if isinstance(error, StepLost) and job.attempt.lost:
            return None
        return self._outcomes.failed(job, error)

    def _runs(self, job: Execution) -> bool:
        return self._process.alive and id(job) in self._running

    def _end(self, job: Execution, fact: StepEvent | None) -> None:
        if self._runs(job):
            self._running.remove(id(job))
            self._world.note(self._process.name, job.claim.step, "ends with", fact)
            job.fact = fact
            self._done(job)
