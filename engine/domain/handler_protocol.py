"""The protocols of handlers and workflows: how they are called, and what they must offer."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.failures.classification import RetryIf
from flowledger.engine.domain.templates.template import Template

C_contra = TypeVar("C_contra", contravariant=True)


class Sessions(Protocol):
    """What reads the log by sessions of a database."""

    @property
    def sessions(self) -> int:
        """Changes where the log may have become another one, as one that was restored."""
        ...


class StepControl(Protocol):
    """What a running step may tell its worker, and learn from it. Every method is thread-safe."""

    @property
    def cancelled(self) -> bool:
        """Whether the step shall stop: it was cancelled, or is not this worker's any more."""
        ...

    def checkpoint(self, state: JsonValue) -> None:
        """Record how far the step is. Raises StepLost, InvalidResult, DatabaseUnavailable."""
        ...

    def heartbeat(self, details: JsonValue) -> None:
        """Say that the step is alive. Raises StepStopRequested, StepLost, InvalidResult."""
        ...


class Unattended:
    """The control of a handler that is called without a worker, by a test for example."""

    cancelled = False

    def checkpoint(self, state: JsonValue) -> None:
        """Nothing is recorded."""

    def heartbeat(self, details: JsonValue) -> None:
        """Nobody listens."""


UNATTENDED = Unattended()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One execution of one step, as plain JSON values.

    `context` is None unless the handler `needs_context`. `results` maps step names to results:
    the needed dependencies are there, other ancestors are read on first access.
    `last_checkpoint` is what an earlier attempt recorded last, None where none did. `cursor` is the
    psycopg cursor of a transactional step.
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
    context: JsonValue
    results: Mapping[str, JsonValue]
    last_checkpoint: JsonValue = None
    control: StepControl = UNATTENDED
    cursor: object | None = None


class StepHandler(Protocol):
    """A step's code, bound to its inputs."""

    @property
    def is_async(self) -> bool:
        """Whether `__call__` always returns an awaitable, and is called on the event loop."""
        ...

    @property
    def needs_context(self) -> bool:
        """Whether the handler reads the task's context."""
        ...

    @property
    def needs_results(self) -> frozenset[str]:
        """The dependencies whose results are to be loaded before the call."""
        ...

    @property
    def retry_if(self) -> RetryIf | None:
        """Whether a failure may be tried again; None leaves that to the engine's classifier."""
        ...

    def __call__(self, call: StepCall) -> JsonValue | Awaitable[JsonValue]:
        """Run the step; the result is JSON. Raises what user code raises, or InvalidResult.

        An awaitable is awaited on the worker's event loop, whatever `is_async` says.
        """
        ...


class WorkflowLike(Protocol[C_contra]):
    """What the engine needs of a workflow; `flowledger.handlers.Workflow` is one."""

    @property
    def template(self) -> Template:
        """The definition: validated, canonical."""
        ...

    @property
    def handlers(self) -> Mapping[str, StepHandler]:
        """The handler of each step. Raises UnknownHandler where one cannot be resolved."""
        ...

    def encode_context(self, context: C_contra) -> Any:
        """The context as a JSON value. Raises InvalidContext, naming the place."""
        ...
