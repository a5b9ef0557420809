"""Running one handler: its inputs, its thread or coroutine, and the fact that comes of it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson
from pydantic import JsonValue

from flowledger.engine.config import Worker as WorkerSettings
from flowledger.engine.domain.events import StepCompleted, StepEvent, StepFailed
from flowledger.engine.domain.failures import failure
from flowledger.engine.domain.plan import Plan
from flowledger.engine.domain.work import StepCall, StepHandler
from flowledger.engine.errors import InvalidResult
from flowledger.engine.ports import Claim, Clock
from flowledger.engine.runtime.threads import Threads
from flowledger.engine.telemetry import Signal, bound, logger

S = TypeVar("S", bound=StepEvent)
NewId = Callable[[], UUID]


@dataclass(slots=True)
class Job:
    """A claimed step on its way. `fact` is set when it ended; None then: nothing to report."""

    claim: Claim
    plan: Plan
    handler: StepHandler
    call: StepCall
    fact: StepEvent | None = None
    task: asyncio.Task[None] | None = field(default=None)
    given_up: bool = False

    @property
    def timeout_seconds(self) -> float | None:
        """What the template allows an attempt."""
        return self.plan.steps[self.plan.numbers[self.claim.step]].timeout_seconds


class Results(Mapping[str, JsonValue]):
    """Results of a step's ancestors: the loaded ones, and the others on first access."""

    def __init__(
        self,
        loaded: dict[str, JsonValue],
        names: Callable[[], frozenset[str]],
        load: Callable[[str], JsonValue],
    ) -> None:
        self._loaded = loaded
        self._names = names
        self._load = load

    def __getitem__(self, name: str) -> JsonValue:
        if name not in self._loaded:
            if name not in self._names():
                raise KeyError(name)
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


class Facts:
    """Makes the events that a worker appends."""

    def __init__(self, worker: UUID, clock: Clock, new_id: NewId) -> None:
        self._worker = worker
        self._clock = clock
        self._new_id = new_id

    def make(self, kind: type[S], claim: Claim, plan: Plan, version: int, **data: Any) -> S:
        """An event at that version of the claimed step's stream."""
        return kind.of(
            originator_id=claim.step_id,
            originator_version=version,
            event_id=self._new_id(),
            occurred_at=self._clock.now(),
            correlation_id=claim.correlation_id,
            task_id=claim.task_id,
            namespace=plan.template.namespace,
            template=plan.template.name,
            step=claim.step,
            attempt=claim.attempt,
            **data,
        )

    def outcome(self, kind: type[S], job: Job, **data: Any) -> S:
        """The event that follows the start of the job."""
        return self.make(kind, job.claim, job.plan, job.claim.version + 1, **data)


class Crew:
    """Threads for plain handlers, one event loop for coroutines. `done` is told of every end."""

    def __init__(self, facts: Facts, settings: WorkerSettings, done: Callable[[Job], None]) -> None:
        self._facts = facts
        self._settings = settings
        self._done = done
        self._threads = Threads(self._run_plain, settings.concurrency, "flowledger-handler")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = logger("worker")

    def run(self, jobs: list[Job]) -> None:
        """Start all of them."""
        coroutines = [job for job in jobs if job.handler.is_async]
        if coroutines:
            self._event_loop().call_soon_threadsafe(self._start_coroutines, coroutines)
        self._threads.submit([job for job in jobs if not job.handler.is_async])

    def cancel(self, job: Job) -> None:
        """Cancel a coroutine; a thread cannot be stopped, and its outcome is refused by the log."""
        job.given_up = True
        if job.task is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(job.task.cancel)

    def close(self) -> None:
        """Start nothing any more; running threads are left to themselves."""
        self._threads.close()
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = asyncio.new_event_loop()
            Thread(target=_run_loop, args=(loop,), name="flowledger-loop", daemon=True).start()
            self._loop = loop
        return self._loop

    def _start_coroutines(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.given_up:
                self._done(job)
                continue
            job.task = asyncio.get_running_loop().create_task(self._run_coroutine(job))

    def _run_plain(self, job: Job) -> None:
        with _named(job):
            try:
                job.fact = self._completed(job, cast("JsonValue", job.handler(job.call)))
            except BaseException as error:  # noqa: BLE001 - whatever user code raises is its outcome
                job.fact = self._failed(job, error)
        self._done(job)

    async def _run_coroutine(self, job: Job) -> None:
        with _named(job):
            limit = asyncio.timeout(job.timeout_seconds)
            try:
                async with limit:
                    result = await cast("Awaitable[JsonValue]", job.handler(job.call))
                    job.fact = self._completed(job, result)
            except BaseException as error:  # noqa: BLE001 - whatever user code raises is its outcome
                if job.given_up:
                    self._log.emit(Signal.WORKER_STEP_LOST)
                elif limit.expired():
                    self._log.emit(Signal.WORKER_STEP_TIMED_OUT)
                else:
                    job.fact = self._failed(job, error)
        self._done(job)

    def _completed(self, job: Job, result: JsonValue) -> StepCompleted:
        encoded = orjson.dumps(result)
        limit = self._settings.max_result_bytes
        if len(encoded) > limit:
            raise InvalidResult(
                f"the result of step {job.claim.step!r} has {len(encoded)} bytes as JSON;"
                f" worker.max_result_bytes is {limit}"
            )
        return self._facts.outcome(StepCompleted, job, result=result)

    def _failed(self, job: Job, error: BaseException) -> StepFailed:
        limit = self._settings.traceback_limit_bytes
        text = "".join(traceback.format_exception(error))[-limit:] if limit else None
        stored = failure(error, text)
        self._log.emit(
            Signal.WORKER_STEP_FAILED, error=stored.message, error_class=stored.error_class
        )
        return self._facts.outcome(StepFailed, job, error=stored)


def _named(job: Job) -> Any:
    claim = job.claim
    return bound(
        correlation_id=claim.correlation_id,
        task_id=str(claim.task_id),
        step=claim.step,
        attempt=claim.attempt,
    )


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
