"""Loads the inputs of handlers, contexts, results and checkpoints, for a whole batch at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar, cast
from uuid import UUID

import orjson
from pydantic import JsonValue

from flowledger.engine.config.sections import WorkerSettings
from flowledger.engine.domain.deterministic_ids import idempotency_key, step_id
from flowledger.engine.domain.handler_protocol import StepCall, StepHandler
from flowledger.engine.domain.templates.compiled_template import Plan, ancestors
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.step import StepAttemptFailed, StepCheckpointed
from flowledger.engine.ports.worker import Claim, ClaimStatus, WorkerStore
from flowledger.engine.runtime.worker.handler_table import HandlerTable
from flowledger.engine.runtime.worker.outcomes import EventFactory, permanent
from flowledger.engine.runtime.worker.step_attempt_state import Attempt, Execution, Results
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

K = TypeVar("K")
V = TypeVar("V")
J = TypeVar("J")


class LruCache(Generic[K, V]):
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

    def forget_all(self) -> None:
        """Remember nothing."""
        self._values.clear()

    def load(self, keys: Iterable[K], read: Callable[[Sequence[K]], Mapping[K, V]]) -> dict[K, V]:
        """The values of keys, reading at once all that are not remembered."""
        wanted = dict.fromkeys(keys)
        missing = [key for key in wanted if key not in self._values]
        found = dict(read(missing)) if missing else {}
        values = {key: self._values[key] for key in wanted if key in self._values}
        for key, value in found.items():
            self.store(key, value)
        return values | found


def own(value: J) -> J:
    """The same JSON value, and nobody else's: a handler may do with it as it pleases."""
    if value and isinstance(value, dict | list):
        return cast("J", orjson.loads(orjson.dumps(value)))
    return value


class StepInputs:
    """Loads what handlers need, all of a batch at once.

    What is remembered of tasks and steps is forgotten when the store has a session that it had not
    before: the log may have lost its end then, and what stood there came about anew.
    """

    def __init__(
        self,
        board: WorkerStore,
        catalogue: HandlerTable,
        facts: EventFactory,
        settings: WorkerSettings,
    ) -> None:
        self._board = board
        self._catalogue = catalogue
        self._facts = facts
        self._max_checkpoint_bytes = settings.max_checkpoint_bytes
        self._contexts: LruCache[UUID, JsonValue] = LruCache(settings.result_cache_size)
        self._results: LruCache[UUID, JsonValue] = LruCache(settings.result_cache_size)
        self._sessions = board.sessions
        self._log = logger("worker")

    def completed(self, step: UUID, result: JsonValue, sessions: int | None = None) -> None:
        """A step of this worker completed; its dependents may well come here too.

        `sessions` is what the store had when the step was claimed, where it may have stored its
        completion since then by a session of its own.
        """
        if sessions in {None, self._sessions}:
            self._results.store(step, result)

    def jobs(self, claims: Sequence[Claim]) -> list[Execution]:
        """The claims with everything that their handlers need.

        A job that needs an event which cannot be read has failed already: it has its `fact`.
        """
        self._forget_another_log()
        try:
            return self._jobs(claims)
        except LogCorrupt as error:
            if len(claims) == 1:
                return [self._failed(claims[0], error)]
            half = len(claims) // 2
            return [*self.jobs(claims[:half]), *self.jobs(claims[half:])]

    def _forget_another_log(self) -> None:
        sessions = self._board.sessions
        if sessions != self._sessions:
            self._contexts.forget_all()
            self._results.forget_all()
            self._sessions = sessions

    def _failed(self, claim: Claim, error: LogCorrupt) -> Execution:
        job = self._job(claim, self._catalogue.handler(claim), {}, {}, None)
        job.fact = self._facts.outcome(StepAttemptFailed, job, error=permanent(error))
        self._log.emit(
            Signal.WORKER_STEP_FAILED,
            correlation_id=claim.correlation_id,
            task_id=str(claim.task_id),
            step=claim.step,
            attempt=claim.attempt,
            error=str(error),
        )
        return job

    def _jobs(self, claims: Sequence[Claim]) -> list[Execution]:
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
        again = [claim.step_id for claim in claims if claim.attempt > 1]
        checkpoints = self._board.checkpoints(again) if again else dict[UUID, JsonValue]()
        return [
            self._job(claim, handler, contexts, results, checkpoints.get(claim.step_id))
            for claim, handler in pairs
        ]

    def _job(
        self,
        claim: Claim,
        handler: StepHandler,
        contexts: Mapping[UUID, JsonValue],
        results: Mapping[UUID, JsonValue],
        last_checkpoint: JsonValue,
    ) -> Execution:
        plan = self._catalogue.plan(claim)
        # A dependency that was skipped, or settled elsewhere, has no result: null stands for it.
        needed = {
            name: own(results.get(step_id(claim.task_id, name))) for name in handler.needs_results
        }
        template = plan.template
        attempt = Attempt(claim, self._record, self._max_checkpoint_bytes)
        call = StepCall(
            task_id=claim.task_id,
            step_id=claim.step_id,
            namespace=template.namespace,
            template=template.name,
            version=template.version,
            step=claim.step,
            attempt=claim.attempt,
            idempotency_key=idempotency_key(claim.step_id, claim.resets),
            correlation_id=claim.correlation_id,
            config=own(plan.steps[plan.numbers[claim.step]].handler.initialization),
            context=own(contexts.get(claim.task_id)) if handler.needs_context else None,
            results=self._ancestors(claim, plan, needed),
            last_checkpoint=last_checkpoint,
            control=attempt,
        )
        return Execution(claim, plan, handler, call, attempt, self._sessions)

    def _record(self, claim: Claim, state: JsonValue) -> ClaimStatus | None:
        plan = self._catalogue.plan(claim)
        # The store sets the version; this one is for the shape of the event only.
        fact = self._facts.make(StepCheckpointed, claim, plan, claim.version + 1, state=state)
        return self._board.checkpoint(self._facts.worker, fact)

    def _ancestors(self, claim: Claim, plan: Plan, loaded: dict[str, JsonValue]) -> Results:
        def load(name: str) -> JsonValue:
            wanted = step_id(claim.task_id, name)
            return self._board.results([wanted]).get(wanted)

        return Results(loaded, lambda: ancestors(plan, claim.step), load)
