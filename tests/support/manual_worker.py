"""A worker that tests lead by the hand: no loop, no threads, one exchange at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.events.base import StepEvent
from flowledger.engine.ports.coordinator import WorkerPart
from flowledger.engine.ports.worker import Claim
from flowledger.engine.runtime.worker.outcomes import EventFactory
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.uuid_generator import Identifiers
from flowledger.engine.store.worker_store import PostgresWorkerStore
from support.engines import EngineHarness


class ManualWorker:
    """A worker's dealings with the board, one at a time."""

    def __init__(self, harness: EngineHarness, opened: ExitStack, flow: Any) -> None:
        self.pool = opened.enter_context(engine_pool(harness.url, harness.settings()))
        self.mapper = EventMapper()
        self.clock = DatabaseClock()
        self.board = PostgresWorkerStore(self.pool, self.mapper, self.clock)
        self.identity = uuid4()
        self.board.renew(self.identity, 36_000)
        self._facts = EventFactory(self.identity, self.clock, Identifiers().new)
        self._plan = compile_plan(flow.template)
        self._templates = [flow.template.template_id]

    def fact(self, kind: type[Any], claim: Claim, **data: Any) -> Any:
        return self._facts.make(kind, claim, self._plan, claim.version + 1, **data)

    def exchange(
        self, facts: Sequence[StepEvent] = (), limit: int = 0, *, quiet: bool = False
    ) -> Any:
        return self.board.exchange(self.identity, facts, self._templates, limit, quiet=quiet)

    def part(self, *facts: StepEvent, limit: int = 1, looks: bool = True) -> WorkerPart:
        """What it brings to a joint round."""
        return WorkerPart(self.identity, facts, self._templates, limit, looks)
