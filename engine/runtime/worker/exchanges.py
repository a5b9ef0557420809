"""How a worker reports and claims: with a coordinator of its own process, or by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from math import inf
from uuid import UUID

from flowledger.engine.events.base import StepEvent
from flowledger.engine.ports.clock_and_wakeup import WAKEFUL_SECONDS, CrashPoints
from flowledger.engine.ports.coordinator import Coordinators, WorkerPart
from flowledger.engine.ports.worker import Exchange, Nearby, WorkerStore
from flowledger.engine.runtime.worker.handler_table import HandlerTable


class Exchanges:
    """Sends the worker's facts and asks for claims; tells who must know, and when it failed.

    `failed` is called where an exchange raised: it may have been stored all the same.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what an exchange is made of
        self,
        worker: UUID,
        store: WorkerStore,
        handlers: HandlerTable,
        coordinators: Coordinators,
        notify: Callable[[str], None],
        crash_points: CrashPoints,
        failed: Callable[[], None],
        elapsed: Callable[[], float],
        locality_seconds: float,
    ) -> None:
        self._worker = worker
        self._store = store
        self._handlers = handlers
        self._coordinators = coordinators
        self._notify = notify
        self._crash_points = crash_points
        self._failed = failed
        self._elapsed = elapsed
        self._locality_seconds = locality_seconds
        self._stored_at = -inf
        # A start need not wake the coordinator, unless it must time the step out.
        self._quiet = not handlers.has_timeouts

    def of_shards(self, facts: Sequence[StepEvent]) -> Sequence[Sequence[StepEvent]]:
        """The facts that coordinators here may decide on, those of each shard together."""
        return self._coordinators.of_shards(facts) if facts else ()

    def joint(
        self, facts: Sequence[StepEvent], limit: int, *, looks: bool, alone: bool
    ) -> Exchange | None:
        """Have a coordinator here decide on the facts; None where none does right now."""
        templates = self._handlers.templates
        part = WorkerPart(self._worker, facts, templates, limit, looks, alone, self._near())
        with self._told():
            exchange = self._coordinators.join(part)
            if exchange is not None:
                self._crash_points.reached("exchanged")
        if exchange is not None:
            self._stored_at = self._elapsed()
            self._notify("stored")
            if any(map(self._handlers.may_time_out, exchange.claims)):
                self._notify("fact")
        return exchange

    def _near(self) -> Nearby:
        return Nearby(self._coordinators.leading, self._locality_seconds)

    def send(self, facts: Sequence[StepEvent], limit: int) -> Exchange:
        """Report the facts, for whoever decides on them. Raises as `WorkerStore.exchange`."""
        lately = self._elapsed() - self._stored_at < WAKEFUL_SECONDS / 2
        quiet = self._quiet and not facts and lately
        templates, near = self._handlers.templates, self._near()
        with self._told():
            self._crash_points.reached("exchanging")
            exchange = self._store.exchange(
                self._worker, facts, templates, limit, quiet=quiet, near=near
            )
            self._crash_points.reached("exchanged")
        if facts or exchange.claims:
            reported = [fact.task_id for fact in facts]
            claimed = [claim.task_id for claim in exchange.claims]
            self._coordinators.went_apart(reported + claimed)
            self._stored_at = self._elapsed()
            self._notify("stored" if quiet else "fact")
        return exchange

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except Exception:
            self._failed()
            self._notify("fact")
            raise
