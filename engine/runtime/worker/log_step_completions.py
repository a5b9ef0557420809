"""Steps of this worker whose completion is stored: a log line for each, where anybody reads it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flowledger.engine.events.step import StepCompleted
from flowledger.engine.runtime.worker.inputs import LruCache
from flowledger.engine.runtime.worker.step_attempt_state import Execution
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal


class CompletedSteps:
    """Remembers of the last `limit` steps that ended here when they began, until it is stored."""

    def __init__(self, limit: int) -> None:
        self._began: LruCache[UUID, tuple[str, datetime | None]] = LruCache(limit)
        self._log = logger("worker")

    @property
    def are_told(self) -> bool:
        """Whether anybody reads of them."""
        return self._log.hears(Signal.STEP_COMPLETED)

    def ended(self, job: Execution) -> None:
        """Its handler returned; whether that is stored is not known yet."""
        claim = job.claim
        self._began.store(claim.step_id, (job.plan.template.key, claim.at))

    def stored(self, fact: StepCompleted) -> None:
        """The completion is in the log."""
        step = fact.originator_id
        if step not in self._began or not self._log.hears(Signal.STEP_COMPLETED):
            return
        template, began = self._began[step]
        seconds = (fact.occurred_at - (began or fact.occurred_at)).total_seconds()
        self._log.emit(
            Signal.STEP_COMPLETED,
            correlation_id=fact.correlation_id,
            task_id=str(fact.task_id),
            step=fact.step,
            attempt=fact.attempt,
            template=template,
            seconds=round(seconds, 3),
        )
