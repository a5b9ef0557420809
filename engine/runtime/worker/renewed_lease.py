"""The lease of a worker, which is renewed from a thread of its own while its steps go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from flowledger.engine.config.sections import WorkerSettings
from flowledger.engine.domain.shard_assignment import WorkerLease
from flowledger.engine.ports.clock_and_wakeup import Clock
from flowledger.engine.ports.worker import WorkerStore
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal


class RenewedLease:
    """Whether the worker may believe that its steps are its own; `regained` after it could not."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a lease needs, most of it ports
        self,
        worker: UUID,
        store: WorkerStore,
        clock: Clock,
        settings: WorkerSettings,
        elapsed: Callable[[], float],
        regained: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._store = store
        self._clock = clock
        self._settings = settings
        self._elapsed = elapsed
        self._regained = regained
        self._lease: WorkerLease | None = None
        self._lost = False  # and it was told
        self._log = logger("worker")

    @property
    def is_trusted(self) -> bool:
        """Whether the worker may go on."""
        return self._lease is not None and self._lease.is_trusted(self._clock.now())

    def renew(self) -> float:
        """Renew it. Returns the seconds until the next renewal. For a thread of its own."""
        settings = self._settings
        asked, before = self._elapsed(), self._clock.now()
        first = self._lease is None
        if self._lease is not None and not self._lease.is_trusted(before) and not self._lost:
            self._lost = True
            self._log.emit(Signal.WORKER_LEASE_LOST)
        asked_at = self._store.renew(self._worker, settings.lease_seconds)
        # The answer may have moved the clock: back, the lease counts from then by the new time;
        # forward, it may be over, and is renewed at once.
        now = self._clock.now()
        self._lease = WorkerLease(
            asked_at=min(asked_at, now - timedelta(seconds=self._elapsed() - asked)),
            ttl=timedelta(seconds=settings.lease_seconds),
            margin=timedelta(seconds=settings.lease_margin_seconds),
        )
        if first:
            self._log.emit(Signal.WORKER_REGISTERED, worker=str(self._worker))
        if self._lost and self._lease.is_trusted(now):
            self._lost = False
            self._regained()
        return self._lease.renew_in(now).total_seconds()
