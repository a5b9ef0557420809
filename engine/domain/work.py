"""What a worker hands to a handler, and what a workflow must offer to be submitted and run."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.template import Template

C_contra = TypeVar("C_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One execution of one step, as plain JSON values.

    `context` is None unless the handler `needs_context`. `results` maps step names to results:
    the needed dependencies are there, other ancestors are read on first access.
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
    context: JsonValue
    results: Mapping[str, JsonValue]


class StepHandler(Protocol):
    """A step's code, bound to its inputs."""

    @property
    def is_async(self) -> bool:
        """Whether `__call__` returns an awaitable, to be run on the worker's event loop."""
        ...

    @property
    def needs_context(self) -> bool:
        """Whether the handler reads the task's context."""
        ...

    @property
    def needs_results(self) -> frozenset[str]:
        """The dependencies whose results are to be loaded before the call."""
        ...

    def __call__(self, call: StepCall) -> JsonValue | Awaitable[JsonValue]:
        """Run the step; the result is JSON. Raises what user code raises, or InvalidResult."""
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

    @property
    def origin(self) -> str | None:
        """`module:attribute` where other processes find it; None where they cannot."""
        ...

    def encode_context(self, context: C_contra) -> Any:
        """The context as a JSON value. Raises InvalidContext, naming the place."""
        ...
