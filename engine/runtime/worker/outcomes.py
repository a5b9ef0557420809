"""Outcomes of handlers as events, and the protocol of whoever executes handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.config.sections import WorkerSettings
from flowledger.engine.domain.failures.classification import Classifier, classify
from flowledger.engine.domain.failures.step_error_from_exception import (
    MESSAGE_CHARACTERS,
    step_error_of,
    words_of,
)
from flowledger.engine.domain.failures.tracebacks import bounded_traceback, clear_traceback
from flowledger.engine.domain.failures.untrusted_exception import name_of
from flowledger.engine.domain.json_values import as_json
from flowledger.engine.domain.storable_text_check import storable
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.errors import EngineError, InvalidResult
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted, StepError
from flowledger.engine.ports.clock_and_wakeup import Clock
from flowledger.engine.ports.worker import Claim
from flowledger.engine.runtime.worker.step_attempt_state import Execution
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

S = TypeVar("S", bound=StepEvent)
NewId = Callable[[], UUID]


class EventFactory:
    """Makes the events that a worker appends."""

    def __init__(self, worker: UUID, clock: Clock, new_id: NewId) -> None:
        self.worker = worker
        self._clock = clock
        self._new_id = new_id

    def make(self, kind: type[S], claim: Claim, plan: Plan, version: int, **data: Any) -> S:
        """An event at that version of the claimed step's stream, not before what is known there."""
        at = data.pop("at", claim.at)
        now = self._clock.now()
        return kind.of(
            originator_id=claim.step_id,
            originator_version=version,
            event_id=self._new_id(),
            occurred_at=now if at is None else max(now, at),
            correlation_id=claim.correlation_id,
            task_id=claim.task_id,
            namespace=plan.template.namespace,
            template=plan.template.name,
            step=claim.step,
            attempt=claim.attempt,
            **data,
        )

    def outcome(self, kind: type[S], job: Execution, **data: Any) -> S:
        """The event that follows what is known of the job's stream."""
        attempt = job.attempt
        return self.make(kind, job.claim, job.plan, attempt.version + 1, at=attempt.at, **data)

    def replacement(self, kind: type[S], fact: StepEvent, **data: Any) -> S:
        """Another event in the place of one that was not stored."""
        same = {name: getattr(fact, name) for name in StepEvent.model_fields}
        now = max(self._clock.now(), fact.occurred_at)
        own = {"event_id": self._new_id(), "occurred_at": now}
        return kind.of(**{**same, **own}, **data)


class Outcomes:
    """What comes of a handler that ended, as a fact."""

    def __init__(
        self, facts: EventFactory, settings: WorkerSettings, classifier: Classifier = classify
    ) -> None:
        self.facts = facts
        self._settings = settings
        self._classifier = classifier
        self._log = logger("worker")

    def completed(self, job: Execution, result: JsonValue) -> StepCompleted:
        """The handler returned. Raises InvalidResult where that is no JSON, or too large."""
        place = f"the result of step {job.claim.step!r}"
        try:
            taken, text = as_json(result)
        except ValueError as error:
            raise InvalidResult(f"{place} cannot be stored: result{error}") from error
        limit = self._settings.max_result_bytes
        if len(text) > limit:
            raise InvalidResult(
                f"{place} has {len(text)} bytes as JSON; worker.max_result_bytes is {limit}"
            )
        return self.facts.outcome(StepCompleted, job, result=taken)

    def failed(self, job: Execution, error: BaseException) -> StepAttemptFailed:
        """The handler raised, be it what cannot be described: a report is made all the same."""
        try:
            stored = self._described(job, error)
        except BaseException:  # noqa: BLE001 - the exception is user code too, or memory is short
            stored = StepError(
                error_class=storable(name_of(error)),
                message="the error could not be described",
                category="unknown",
                retryable=True,
            )
        if not job.attempt.lost:
            self._log.emit(
                Signal.WORKER_STEP_FAILED, error=stored.message, error_class=stored.error_class
            )
            self._log.emit(Signal.WORKER_STEP_RAISED, traceback=stored.traceback)
        return self.facts.outcome(StepAttemptFailed, job, error=stored)

    def _described(self, job: Execution, error: BaseException) -> StepError:
        text = bounded_traceback(error, self._settings.traceback_limit_bytes)
        clear_traceback(error)  # a handler may raise the same object in its next attempt
        return step_error_of(error, text, self._classifier, job.handler.retry_if)


def permanent(error: EngineError) -> StepError:
    """What is kept of an error of the engine's own that any other attempt would meet again."""
    return StepError(
        error_class=type(error).__name__,
        message=storable(words_of(error)[:MESSAGE_CHARACTERS]),
        category="permanent",
        retryable=False,
    )


class Executor(Protocol):
    """Who runs handlers. Every job that `run` was given is handed to the worker's `done` once."""

    def run(self, jobs: Sequence[Execution]) -> None:
        """Start all of them."""
        ...

    def stop(self, job: Execution) -> None:
        """The job's `attempt` says that it shall stop: cancel what can be cancelled."""
        ...

    def close(self) -> None:
        """Start nothing any more."""
        ...


ExecutorFactory = Callable[[Outcomes, WorkerSettings, Callable[[Execution], None]], Executor]
"""Makes a crew from what handlers' ends become, the settings, and whom to tell of every end."""
