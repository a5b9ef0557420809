"""The port of the worker: claim steps, report their outcomes, and read their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.handler_protocol import Sessions
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepCheckpointed, StepCompleted


@dataclass(frozen=True, slots=True)
class Claim:
    """A step that this worker may run; its stream stands at `version`, the StepStarted.

    `resets` counts how often an operator had it begin anew. Nothing that the worker tells of it
    happened before `at`, the time of the last event that is known of its stream.
    """

    step_id: UUID
    task_id: UUID
    template_id: UUID
    version: int
    attempt: int
    step: str
    correlation_id: str
    resets: int = 0
    at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ClaimStatus:
    """A running step by its queue row: its stream is at `version`; it may have to stop.

    `at` is when it was told to, or that of the checkpoint which was stored: nothing that follows in
    its stream happened before.
    """

    version: int
    attempt: int
    cancelling: bool
    at: datetime | None = field(default=None, compare=False)


class Nearby(NamedTuple):
    """The shards that the worker's process leads: a step of another counts as younger by so much.

    No shards: none is nearer than another.
    """

    shards: Sequence[int] = ()
    locality_seconds: float = 0.0


NOWHERE = Nearby()


@dataclass(frozen=True, slots=True)
class Exchange:
    """The result of one exchange: claimed steps, and facts that were refused."""

    claims: Sequence[Claim]
    refused: frozenset[UUID]


class WorkerStore(Sessions, Protocol):
    """The worker's side. Every method raises DatabaseUnavailable when it is cut off."""

    def renew(self, worker: UUID, lease_seconds: float) -> datetime:
        """Register the worker, or renew its lease. Returns when that was asked for."""
        ...

    def retire(self, worker: UUID) -> None:
        """Forget the worker; what it still holds counts as lost."""
        ...

    def exchange(  # noqa: PLR0913 - what one call brings and asks for
        self,
        worker: UUID,
        facts: Sequence[StepEvent],
        templates: Sequence[UUID],
        limit: int,
        *,
        quiet: bool,
        near: Nearby = NOWHERE,
    ) -> Exchange:
        """Append facts and release their steps; claim up to `limit` steps and append their starts.

        One transaction, in which the store writes the starts. A refused start is not among the
        claims. `quiet`: wake no coordinator.
        """
        ...

    def try_out(self, worker: UUID, fact: StepEvent) -> None:
        """Report it and take that back. Raises what `exchange` would raise."""
        ...

    def claims_of(self, worker: UUID) -> Sequence[Claim]:
        """The steps that this worker runs, by the queue."""
        ...

    def claim_statuses(
        self, worker: UUID, beats: Mapping[UUID, bytes | None]
    ) -> Mapping[UUID, ClaimStatus]:
        """Those of the steps that the worker still holds; notes heartbeats, JSON each, of some."""
        ...

    def checkpoint(self, worker: UUID, checkpoint: StepCheckpointed) -> ClaimStatus | None:
        """Append it, at whatever version the queue has; None if the step is another worker's."""
        ...

    def checkpoints(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """What was recorded last of each step; steps without a checkpoint are left out."""
        ...

    def elect_isolated(self, worker: UUID, templates: Sequence[UUID]) -> bool:
        """Whether the worker shall take only steps that are to run alone, one at a time."""
        ...

    def set_stuck(self, worker: UUID, *, stuck: bool) -> None:
        """Note for people whether abandoned handlers keep the worker from claiming."""
        ...

    def contexts(self, tasks: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The contexts of tasks."""
        ...

    def results(self, steps: Sequence[UUID]) -> Mapping[UUID, JsonValue]:
        """The results of completed steps; the others are left out."""
        ...


class Transactions(Protocol):
    """Runs handlers whose rows commit with the completion of their step."""

    def run(
        self,
        worker: UUID,
        claim: Claim,
        timeout_seconds: float | None,
        work: Callable[[object], StepCompleted],
    ) -> StepCompleted | None:
        """Call `work` with a cursor; what it wrote and what it returns are stored together.

        None where there was no connection to call it with. Raises what `work` raises, StepLost,
        TransactionEnded, TransactionReadOnly, and DatabaseUnavailable where the connection was lost
        before the commit; then nothing is stored, or the log refuses that the step failed.
        """
        ...

    def close(self) -> None:
        """Close its connections."""
        ...
