"""Executes handlers: plain ones on threads, coroutines on an event loop, some in a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import Context
from dataclasses import replace
from inspect import isawaitable
from typing import cast

from pydantic import JsonValue

from flowledger.engine.config.sections import WorkerSettings
from flowledger.engine.domain.failures.untrusted_exception import is_a
from flowledger.engine.domain.json_values import PLAIN_TYPES
from flowledger.engine.errors import StepLost, StepStopRequested
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepCompleted, StepReleased
from flowledger.engine.ports.fork_guard import EndsForks
from flowledger.engine.ports.worker import Transactions
from flowledger.engine.runtime.daemon_thread_pool import DaemonThreadPool
from flowledger.engine.runtime.worker.outcomes import Outcomes
from flowledger.engine.runtime.worker.step_attempt_state import Execution, running
from flowledger.engine.runtime.worker.watched_event_loops import EventLoops
from flowledger.engine.telemetry.log import bound, logger
from flowledger.engine.telemetry.log_messages import Signal

CANCELLED_BY_OTHERS = "another step, or a thread, cancelled its tasks"


class HandlerExecutor:
    """The crew of a real worker."""

    def __init__(
        self,
        outcomes: Outcomes,
        settings: WorkerSettings,
        done: Callable[[Execution], None],
        transactions: Transactions,
    ) -> None:
        self._outcomes = outcomes
        self._done = done
        self._transactions = transactions
        self._threads = DaemonThreadPool(
            self._run_plain, settings.concurrency, "flowledger-handler"
        )
        patience = settings.event_loop_block_seconds
        self._loops = EventLoops(
            self._run_coroutine, self._loop_abandoned, self._loop_escaped, patience
        )
        self._log = logger("worker")

    def run(self, jobs: Sequence[Execution]) -> None:
        """Start all of them."""
        coroutines = [job for job in jobs if job.handler.is_async]
        if coroutines:
            self._loops.start(coroutines)
        self._threads.submit([job for job in jobs if not job.handler.is_async])

    def stop(self, job: Execution) -> None:
        """Cancel a coroutine; a thread cannot be stopped, and may ask whether it shall."""
        self._loops.cancel(job)

    def close(self) -> None:
        """Start nothing any more; running threads are left to themselves."""
        self._threads.close()
        self._loops.close()

    def _loop_abandoned(self, blocking: Sequence[Execution], others: Sequence[Execution]) -> None:
        """A coroutine blocks its event loop: hand back those that wait there for it."""
        steps = [job.claim.step for job in blocking]
        self._log.emit(Signal.WORKER_LOOP_BLOCKED, blocking=steps, handed_back=len(others))
        whose = ", ".join(repr(step) for step in steps)
        reason = f"step {whose} blocked the event loop" if steps else "the event loop was blocked"
        for job in others:
            job.attempt.give_up()
            job.fact = self._handed_back(job, reason)
            self._done(job)

    def _loop_escaped(self, job: Execution | None, error: BaseException) -> None:
        """An exit that only the loop could catch; the step, where it is known, fails with it."""
        step = None if job is None else job.claim.step
        self._log.emit(Signal.WORKER_LOOP_ESCAPED, step=step, error=repr(error))

    def _run_plain(self, job: Execution) -> None:
        """In a context of its own, as a coroutine has it: what it sets there is nobody else's."""
        Context().run(self._run_on_thread, job)

    def _run_on_thread(self, job: Execution) -> None:
        running.set(job)
        with _named(job):
            try:
                _refuse_cancelled(job)
                job.fact = self._in_transaction(job) if job.transactional else self._called(job)
                if job.awaited is not None:
                    self._loops.start([job])
                    return
            except BaseException as error:  # noqa: BLE001 - whatever user code raises is its outcome
                job.fact = self._failed(job, error)
            self._done(job)

    async def _run_coroutine(self, job: Execution) -> None:
        fact: StepEvent | None = None
        with _named(job):
            limit = asyncio.timeout(job.timeout_seconds)
            try:
                async with limit:
                    _refuse_cancelled(job)
                    with EndsForks():
                        awaited = job.awaited or job.handler(job.call)
                        result = await cast("Awaitable[JsonValue]", awaited)
                    fact = self._outcomes.completed(job, result)
            except BaseException as error:  # noqa: BLE001 - whatever user code raises is its outcome
                if limit.expired():
                    self._log.emit(Signal.WORKER_STEP_TIMED_OUT)
                else:
                    fact = self._failed(job, error)
            finally:
                if job.escaped is not None:
                    fact = self._failed(job, job.escaped)
                if self._loops.ended(job):
                    job.fact = fact
                    self._done(job)

    def _called(self, job: Execution) -> StepEvent | None:
        """None where it returned what is still to be awaited."""
        with EndsForks():
            result = job.handler(job.call)
        if type(result) not in PLAIN_TYPES and isawaitable(result):
            job.awaited = result
            return None
        return self._outcomes.completed(job, cast("JsonValue", result))

    def _in_transaction(self, job: Execution) -> StepEvent | None:
        """The completion is stored here; without a connection the step is released."""

        def work(cursor: object) -> StepCompleted:
            _refuse_cancelled(job)  # it may have waited long for a connection
            with EndsForks():
                result = job.handler(replace(job.call, cursor=cursor))
            return self._outcomes.completed(job, cast("JsonValue", result))

        worker = self._outcomes.facts.worker
        fact = self._transactions.run(worker, job.claim, job.timeout_seconds, work)
        if fact is None:
            return self._handed_back(job, "there was no connection for its transaction")
        job.stored = fact
        return None

    def _handed_back(self, job: Execution, reason: str) -> StepEvent:
        return self._outcomes.facts.outcome(StepReleased, job, reason=reason)

    def _failed(self, job: Execution, error: BaseException) -> StepEvent:
        """Where the step is another's by now, the log refuses the report."""
        if is_a(error, asyncio.CancelledError):
            if job.attempt.cancelled:
                error = _stopped(job)
            elif job.disturbed:
                return self._handed_back(job, CANCELLED_BY_OTHERS)
        return self._outcomes.failed(job, error)


def _refuse_cancelled(job: Execution) -> None:
    if job.attempt.cancelled:
        raise _stopped(job)


def _stopped(job: Execution) -> StepLost | StepStopRequested:
    return (StepLost if job.attempt.lost else StepStopRequested)(job.claim.step)


def _named(job: Execution) -> AbstractContextManager[None]:
    claim = job.claim
    return bound(
        correlation_id=claim.correlation_id,
        task_id=claim.task_id,
        step=claim.step,
        attempt=claim.attempt,
    )
