"""The context of a running step: ids, checkpoint, heartbeat, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import structlog
from pydantic import JsonValue
from structlog.typing import FilteringBoundLogger

from flowledger.engine.domain.handler_protocol import UNATTENDED, StepCall, StepControl
from flowledger.engine.domain.json_values import plain
from flowledger.engine.errors import InvalidResult
from flowledger.handlers.type_codec import described


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """One execution of a step. A handler gets it by a parameter with this annotation.

    `attempt` counts from 1. `idempotency_key` is the same in all attempts of the step: hand it to
    outside systems to make their effects happen once. `results` has all ancestors by step name,
    as JSON values. `last_checkpoint` is what an earlier attempt recorded last, as a JSON value;
    None in the first attempt, and where none was recorded.
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
    config: Mapping[str, JsonValue]
    results: Mapping[str, JsonValue]
    last_checkpoint: JsonValue = None
    control: StepControl = field(default=UNATTENDED, repr=False, compare=False)

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
            config=call.config,
            results=call.results,
            last_checkpoint=call.last_checkpoint,
            control=call.control,
        )

    @property
    def cancelled(self) -> bool:
        """Whether the step shall stop: it was cancelled, timed out, or its worker stops.

        A thread learns it here, or from `heartbeat`; a coroutine is cancelled by the worker.
        """
        return self.control.cancelled

    def checkpoint(self, state: Any) -> None:
        """Record how far the step is, in one round trip to the database.

        The state, any JSON, is in the log when this returns, and the next attempt gets the last one
        as `last_checkpoint`. Raises StepLost where the step is not this worker's any more,
        InvalidResult where the state is no JSON or too large, DatabaseUnavailable, and RuntimeError
        in a coroutine, which would hold up every other one: there, await `checkpoint_async`.
        """
        if _in_coroutine():
            raise RuntimeError("checkpoint blocks the event loop: await checkpoint_async instead")
        self.control.checkpoint(self._json("checkpoint", state))

    async def checkpoint_async(self, state: Any) -> None:
        """As `checkpoint`, for coroutines."""
        await asyncio.to_thread(self.control.checkpoint, self._json("checkpoint", state))

    def heartbeat(self, details: Any = None) -> None:
        """Say that the handler is alive; the details, any JSON, can be seen in SQL.

        It costs no round trip: the worker notes the latest one each `worker.heartbeat_seconds`,
        outside the log. Raises StepStopRequested where the step shall stop, StepLost where it is
        not this worker's any more, InvalidResult where the details are no JSON or too large.
        """
        self.control.heartbeat(self._json("heartbeat", details))

    def _json(self, what: str, value: Any) -> JsonValue:
        try:
            return plain(value)
        except ValueError as error:
            raise InvalidResult(f"step {self.step!r}: {described(error, what)}") from error

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


def _in_coroutine() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
