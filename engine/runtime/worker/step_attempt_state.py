"""One execution of a step: what its handler and the worker share about the attempt.

The handler's thread records checkpoints and heartbeats; the worker's loop learns of cancels and
lost claims. Both may advance the version of the stream, so it only ever grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

from pydantic import JsonValue

from flowledger.engine.domain.handler_protocol import StepCall, StepHandler
from flowledger.engine.domain.json_values import as_json
from flowledger.engine.domain.storable_text_check import unstorable
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.errors import InvalidResult, StepLost, StepStopRequested
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepCompleted
from flowledger.engine.ports.worker import Claim, ClaimStatus


class Record(Protocol):
    """Appends a checkpoint; None where the step is another's. Raises DatabaseUnavailable."""

    def __call__(self, claim: Claim, state: JsonValue) -> ClaimStatus | None:
        """Record it, in one round trip."""
        ...


class Attempt:
    """The control that a handler gets, and what the worker reads there."""

    __slots__ = (
        "_beat",
        "_claim",
        "_limit",
        "_lock",
        "_record",
        "at",
        "cancelled",
        "lost",
        "version",
    )

    def __init__(self, claim: Claim, record: Record, max_bytes: int) -> None:
        self._claim = claim
        self._record = record
        self._limit = max_bytes
        self._lock = Lock()
        self._beat: bytes | None = None
        self.version = claim.version
        self.at = claim.at
        self.cancelled = False
        self.lost = False

    def moved(self, held: ClaimStatus) -> None:
        """The store says at which version the step's stream is, and whether it is to stop."""
        with self._lock:
            self.version = max(self.version, held.version)
            self.cancelled = self.cancelled or held.cancelling
            self.at = max(filter(None, (self.at, held.at)), default=None)

    def give_up(self) -> None:
        """The step is another's: nothing that the handler does is recorded any more."""
        self.lost = self.cancelled = True

    def take_beat(self) -> bytes | None:
        """The details of the last heartbeat that was not taken yet, as JSON."""
        with self._lock:
            beat, self._beat = self._beat, None
        return beat

    def checkpoint(self, state: JsonValue) -> None:
        """Record how far the step is. Raises StepLost, InvalidResult, DatabaseUnavailable."""
        taken, _ = self._taken("checkpoint", state)
        held = None if self.lost else self._record(self._claim, taken)
        if held is None:
            self.give_up()
            raise StepLost(self._claim.step)
        self.moved(held)

    def heartbeat(self, details: JsonValue) -> None:
        """Leave details for the worker to note. Raises StepStopRequested, StepLost,
        InvalidResult."""
        _, beat = self._taken("heartbeat", details)
        if self.lost:
            raise StepLost(self._claim.step)
        with self._lock:
            self._beat = beat
        if self.cancelled:
            raise StepStopRequested(self._claim.step)

    def _taken(self, what: str, value: JsonValue) -> tuple[JsonValue, bytes]:
        place = f"the {what} of step {self._claim.step!r}"
        try:
            taken, text = as_json(value)
        except ValueError as error:
            raise InvalidResult(f"{place} cannot be stored: {what}{error}") from error
        if len(text) > self._limit:
            raise InvalidResult(
                f"{place} has {len(text)} bytes as JSON;"
                f" worker.max_checkpoint_bytes is {self._limit}"
            )
        # Only an escape can stand for what Postgres cannot store; most values have none.
        fault = unstorable(taken, what) if b"\\u0000" in text else None
        if fault is not None:
            raise InvalidResult(f"step {self._claim.step!r}: {fault}")
        return taken, text


@dataclass(slots=True)
class Execution:
    """A claimed step on its way.

    `fact` is set when the handler ended, or before it starts where its inputs cannot be read. None
    at the end: there is nothing to report, since the coordinator ends the attempt, or (`stored`)
    since its completion is in the log already. `escaped` is an exit that its code raised where only
    the event loop could catch it; `disturbed` says that others cancelled a task of it.
    `awaited` is what a plain handler returned that is to be awaited. `sessions` is what the store
    had when it was claimed.
    """

    claim: Claim
    plan: Plan
    handler: StepHandler
    call: StepCall
    attempt: Attempt
    sessions: int = 0
    fact: StepEvent | None = None
    stored: StepCompleted | None = None
    task: asyncio.Task[None] | None = field(default=None)
    awaited: Awaitable[JsonValue] | None = None
    escaped: BaseException | None = None
    disturbed: bool = False

    @property
    def timeout_seconds(self) -> float | None:
        """What the template allows an attempt."""
        return self.plan.steps[self.plan.numbers[self.claim.step]].timeout_seconds

    @property
    def transactional(self) -> bool:
        """Whether the handler's rows are to commit with its completion."""
        return self.plan.steps[self.plan.numbers[self.claim.step]].transactional


running: ContextVar[Execution | None] = ContextVar("flowledger_job", default=None)
"""Whose code runs in this context: a handler's, and what it starts."""

Run = Callable[[Execution], Coroutine[Any, Any, None]]
"""Runs a job whose handler is a coroutine."""


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
