"""What a worker can run: the plans and handlers of the workflows that it was given."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import JsonValue

from flowledger.engine.domain.ids import step_id
from flowledger.engine.domain.plan import Plan, ancestors, compile_plan
from flowledger.engine.domain.work import StepCall, StepHandler, WorkflowLike
from flowledger.engine.ports import Claim, Workboard
from flowledger.engine.runtime.jobs import Job, Results

K = TypeVar("K")
V = TypeVar("V")


class Catalogue:
    """Plans and handlers by template. Raises UnknownHandler at once, never at a step."""

    def __init__(self, workflows: Iterable[WorkflowLike[Any]]) -> None:
        self._entries: dict[UUID, tuple[Plan, Mapping[str, StepHandler]]] = {}
        for workflow in workflows:
            plan = compile_plan(workflow.template)
            self._entries[plan.template_id] = (plan, dict(workflow.handlers))

    @property
    def templates(self) -> Sequence[UUID]:
        """The templates whose steps may be claimed."""
        return list(self._entries)

    @property
    def has_timeouts(self) -> bool:
        """Whether any of the steps may time out."""
        plans = (plan for plan, _ in self._entries.values())
        return any(step.timeout_seconds is not None for plan in plans for step in plan.steps)

    def plan(self, claim: Claim) -> Plan:
        """The plan that the claimed step belongs to."""
        return self._entries[claim.template_id][0]

    def handler(self, claim: Claim) -> StepHandler:
        """The handler of the claimed step."""
        return self._entries[claim.template_id][1][claim.step]


class Remembered(Generic[K, V]):
    """The last `limit` values that were stored."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def __getitem__(self, key: K) -> V:
        return self._values[key]

    def store(self, key: K, value: V) -> None:
        """Remember a value; the oldest is forgotten where there are too many."""
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def load(self, keys: Iterable[K], read: Callable[[Sequence[K]], Mapping[K, V]]) -> dict[K, V]:
        """The values of keys, reading at once all that are not remembered."""
        wanted = dict.fromkeys(keys)
        missing = [key for key in wanted if key not in self._values]
        found = dict(read(missing)) if missing else {}
        values = {key: self._values[key] for key in wanted if key in self._values}
        for key, value in found.items():
            self.store(key, value)
        return values | found


class Inputs:
    """Loads what handlers need, all of a batch at once."""

    def __init__(self, board: Workboard, catalogue: Catalogue, cache_size: int) -> None:
        self._board = board
        self._catalogue = catalogue
        self._contexts: Remembered[UUID, JsonValue] = Remembered(cache_size)
        self._results: Remembered[UUID, JsonValue] = Remembered(cache_size)

    def completed(self, step: UUID, result: JsonValue) -> None:
        """A step of this worker completed; its dependents may well come here too."""
        self._results.store(step, result)

    def jobs(self, claims: Sequence[Claim]) -> list[Job]:
        """The claims with everything that their handlers need."""
        handlers = [self._catalogue.handler(claim) for claim in claims]
        pairs = list(zip(claims, handlers, strict=True))
        contexts = self._contexts.load(
            (claim.task_id for claim, handler in pairs if handler.needs_context),
            self._board.contexts,
        )
        results = self._results.load(
            (
                step_id(claim.task_id, name)
                for claim, handler in pairs
                for name in handler.needs_results
            ),
            self._board.results,
        )
        return [self._job(claim, handler, contexts, results) for claim, handler in pairs]

    def _job(
        self,
        claim: Claim,
        handler: StepHandler,
        contexts: Mapping[UUID, JsonValue],
        results: Mapping[UUID, JsonValue],
    ) -> Job:
        plan = self._catalogue.plan(claim)
        needed = {name: results[step_id(claim.task_id, name)] for name in handler.needs_results}
        template = plan.template
        call = StepCall(
            task_id=claim.task_id,
            step_id=claim.step_id,
            namespace=template.namespace,
            template=template.name,
            version=template.version,
            step=claim.step,
            attempt=claim.attempt,
            idempotency_key=str(claim.step_id),
            correlation_id=claim.correlation_id,
            configuration=plan.steps[plan.numbers[claim.step]].handler.initialization,
            context=contexts.get(claim.task_id) if handler.needs_context else None,
            results=self._ancestors(claim, plan, needed),
        )
        return Job(claim, plan, handler, call)

    def _ancestors(self, claim: Claim, plan: Plan, loaded: dict[str, JsonValue]) -> Results:
        def load(name: str) -> JsonValue:
            wanted = step_id(claim.task_id, name)
            return self._board.results([wanted])[wanted]

        return Results(loaded, lambda: ancestors(plan, claim.step), load)
