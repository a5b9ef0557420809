"""The outbox of a worker: outcomes that are kept until they are stored, or are known to be lost.

They are sent in one batch, of which each stream is stored or refused by itself. If the database
refuses the statement as a whole, because of a type, a size limit or somebody's trigger, the
outcomes are sent one by one, so that the others are stored.

An outcome that was refused alone `SURE` times, and once more after the database would have taken a
failure of the step, is replaced by that failure, which says why, since another attempt would end in
the same way. If the failure is refused too, the outcome is not the cause: it waits, as in any
outage, and no result is thrown away. Meanwhile it takes one of the
worker's slots, and the worker's health says why.

Unconfirmed exchanges. An exchange whose answer was lost may still be carried out by the database,
as long as a statement may take. Until then the store may receive claims that this worker does not
know of. That time is measured in seconds that really pass, since the engine's time may be moved. A
suspended server, or a network that kept a message, can make it longer than any limit. So the worker
asks for its claims at intervals even when nothing is expected any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from flowledger.engine.errors import EngineError, StatementRefused, UnstorableEvent
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.step import StepAttemptFailed, StepCompleted
from flowledger.engine.ports.worker import ClaimStatus, Exchange, WorkerStore
from flowledger.engine.runtime.worker.outcomes import EventFactory, permanent
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal

Send = Callable[[Sequence[StepEvent], int], Exchange]
Settle = Callable[[Sequence[StepEvent], Exchange], None]

SURE = 5
"""How often a fact is refused alone, with the loop's pauses between, until it is replaced."""


class UnconfirmedExchanges:
    """Says when to read the claims: at once, then once a poll; else once in a full time."""

    def __init__(
        self, elapsed: Callable[[], float], *, lasts_seconds: float, poll_seconds: float
    ) -> None:
        """`elapsed` are seconds from some moment on, which nobody sets."""
        self._elapsed = elapsed
        self._lasts = lasts_seconds
        self._poll = poll_seconds
        self._until = elapsed()
        self._ask_at = self._until + lasts_seconds

    def add(self) -> None:
        """An exchange was cut off."""
        self._ask_at = self._elapsed()
        self._until = self._ask_at + self._lasts

    def seconds_left(self) -> float:
        """Seconds until it is due, or less than 0."""
        return self._ask_at - self._elapsed()

    def is_due(self) -> bool:
        """Whether to ask now; not again before a poll has passed."""
        now = self._elapsed()
        if now < self._ask_at:
            return False
        self._ask_at = now + (self._poll if now < self._until else self._lasts)
        return True


class Outbox:
    """The facts that wait, at most one for each step, and what becomes of them."""

    def __init__(self, worker: UUID, store: WorkerStore, facts: EventFactory) -> None:
        self.waiting: list[StepEvent] = []
        self._worker = worker
        self._store = store
        self._facts = facts
        self._refusals: Counter[UUID] = Counter()
        self._log = logger("worker")

    @property
    def steps(self) -> set[UUID]:
        """The steps that facts wait of."""
        return {fact.originator_id for fact in self.waiting}

    @property
    def stuck(self) -> int:
        """How many facts were refused alone and wait on."""
        return len(self._refusals)

    def add(self, fact: StepEvent) -> None:
        """One more is to be reported."""
        self.waiting.append(fact)

    def reported(
        self, facts: Sequence[StepEvent], refused: Collection[UUID]
    ) -> Sequence[StepEvent]:
        """These were reported. Returns those whose streams were refused, which still wait."""
        again = [fact for fact in facts if fact.originator_id in refused]
        reported = {fact.event_id for fact in facts}
        others = [fact for fact in self.waiting if fact.event_id not in reported]
        self.waiting = [*others, *again]
        for fact in facts:
            self._refusals.pop(fact.originator_id, None)
        return again

    def report_again(self, refused: Sequence[StepEvent], known: Collection[UUID]) -> bool:
        """Give refused facts of steps that are still the worker's the next version; drop others.

        Returns whether the worker holds a step of theirs that it does not know to run. Raises
        DatabaseUnavailable; nothing has changed then.
        """
        held = self._store.claim_statuses(
            self._worker, dict.fromkeys(f.originator_id for f in refused)
        )
        unknown_claims = False
        dropped = {fact.event_id for fact in refused}
        self.waiting = [fact for fact in self.waiting if fact.event_id not in dropped]
        for fact in refused:
            found = held.get(fact.originator_id)
            if found is not None and follows(found, fact):
                at = max(filter(None, (fact.occurred_at, found.at)))
                moved = {"originator_version": found.version + 1, "occurred_at": at}
                self.add(fact.model_copy(update=moved))
                continue
            unknown_claims = unknown_claims or (
                found is not None and fact.originator_id not in known
            )
            self._tell(fact, Signal.WORKER_STEP_LOST)
        return unknown_claims

    def one_by_one(self, send: Send, settle: Settle) -> StatementRefused | None:
        """Report each fact alone. Returns why some are refused, and wait on."""
        refusal: StatementRefused | None = None
        for fact in list(self.waiting):
            try:
                sent, exchange = self._sent(fact, send)
            except StatementRefused as error:
                refusal = error
                continue
            settle([sent], exchange)
        return refusal

    def _sent(self, fact: StepEvent, send: Send) -> tuple[StepEvent, Exchange]:
        try:
            return fact, send([fact], 0)
        except UnstorableEvent as error:
            return self._sent_replacement(fact, error, send)
        except StatementRefused as error:
            step = fact.originator_id
            self._refusals[step] += 1
            if self._refusals[step] % SURE or not isinstance(
                fact, StepCompleted | StepAttemptFailed
            ):
                raise
            return self._sent_once_more(fact, error, send)

    def _sent_once_more(
        self, fact: StepEvent, error: StatementRefused, send: Send
    ) -> tuple[StepEvent, Exchange]:
        """Where a failure of the step is taken, and its outcome still is not, that is the cause."""
        self._store.try_out(self._worker, self._failure(fact, error))
        try:
            return fact, send([fact], 0)
        except StatementRefused as refusal:
            return self._sent_replacement(fact, refusal, send)

    def _failure(self, fact: StepEvent, error: EngineError) -> StepEvent:
        return self._facts.replacement(StepAttemptFailed, fact, error=permanent(error))

    def _sent_replacement(
        self, fact: StepEvent, error: StatementRefused | UnstorableEvent, send: Send
    ) -> tuple[StepEvent, Exchange]:
        place = self.waiting.index(fact)
        instead = self._failure(fact, error)
        self.waiting[place] = instead  # where the answer is lost, this is what may be stored
        try:
            exchange = send([instead], 0)
        except StatementRefused as refusal:
            self.waiting[place] = fact
            raise (error if isinstance(error, StatementRefused) else refusal) from None
        self._tell(fact, Signal.WORKER_STEP_FAILED, error=str(error))
        return instead, exchange

    def _tell(self, fact: StepEvent, signal: Signal, **more: str) -> None:
        self._log.emit(
            signal,
            correlation_id=fact.correlation_id,
            task_id=str(fact.task_id),
            step=fact.step,
            attempt=fact.attempt,
            **more,
        )


def follows(held: ClaimStatus, fact: StepEvent) -> bool:
    """Whether the queue row is of the fact's attempt, advanced by a checkpoint or a signal."""
    return held.attempt == fact.attempt and held.version >= fact.originator_version
