"""What a handler may know about the step it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import structlog
from pydantic import JsonValue
from structlog.typing import FilteringBoundLogger

from flowledger.engine.domain.work import StepCall


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """One execution of a step. A handler gets it by a parameter with this annotation.

    `attempt` counts from 1. `idempotency_key` is the same in all attempts of the step: hand it to
    outside systems to make their effects happen once. `results` has all ancestors by step name,
    as JSON values.
    """

    task_id: UUID
    step_id: UUID
    namespace: str
    template: str
    version: str
    step: str
    attempt: int
    idempotency_key: str
    correlation_id: str
    configuration: Mapping[str, JsonValue]
    results: Mapping[str, JsonValue]

    @classmethod
    def of(cls, call: StepCall) -> StepContext:
        """The part of a call that handlers see."""
        return cls(
            task_id=call.task_id,
            step_id=call.step_id,
            namespace=call.namespace,
            template=call.template,
            version=call.version,
            step=call.step,
            attempt=call.attempt,
            idempotency_key=call.idempotency_key,
            correlation_id=call.correlation_id,
            configuration=call.configuration,
            results=call.results,
        )

    @property
    def logger(self) -> FilteringBoundLogger:
        """A structlog logger whose every line names the task, the step and the attempt."""
        logger = structlog.get_logger("flowledger.step").bind(
            correlation_id=self.correlation_id,
            task_id=str(self.task_id),
            step=self.step,
            attempt=self.attempt,
        )
        return cast("FilteringBoundLogger", logger)
