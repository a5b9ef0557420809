"""Runs one generation of a projection: its next batch, failures, rebuilds and parked events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from flowledger.engine.config.projection_section import ProjectionSettings
from flowledger.engine.domain.failures.tracebacks import clear_traceback
from flowledger.engine.ports.clock_and_wakeup import Clock, CrashPoints
from flowledger.engine.ports.fork_guard import EndsForks
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff
from flowledger.projections.dispatch import Dispatcher
from flowledger.projections.host.failure_from_exception import (
    Failure,
    failure_of,
    is_of_the_data,
    reraise_database_errors,
)
from flowledger.projections.host.generation_types import Aside, Generation, GenerationLease
from flowledger.projections.host.host_store import HostStore
from flowledger.projections.host.log_reader import LogEntry, LogReader
from flowledger.projections.host.parked import ParkedEvents
from flowledger.projections.projection import Projection

SHARE_OF_LEASE = 6
"""A batch shall take no longer than such a part of the lease."""

GROWTH = 8
"""So many times as large as the one before a batch may be, where that took a moment only."""


class Advance(NamedTuple):
    """What became of a batch of a generation, which was being built before it, or not."""

    led: GenerationRunner
    built: bool
    outcome: Future[bool]


class GenerationRunner:
    """A generation with its methods. `retry_at`: it waits until then at an event that failed."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        place: Generation,
        lead: GenerationLease,
        projection: Projection,
        *,
        store: HostStore,
        events: LogReader,
        clock: Clock,
        settings: ProjectionSettings,
        serving: Callable[[str], int | None],
        moved: Callable[[], None],
        faults: CrashPoints,
    ) -> None:
        self.place = place
        self.lead = lead
        self._applying = Dispatcher(projection)
        self._policy = projection.on_error
        self._store = store
        self._events = events
        self._clock = clock
        self._settings = settings
        self._serving = serving
        self._moved = moved
        self._faults = faults
        self._backoff = Backoff(settings.retry_initial_seconds, settings.retry_cap_seconds)
        self.retry_at: datetime | None = None
        self._parking = ParkedEvents(place, store, events, self._applying, settings)
        self.strides = False  # it went through the log in a large batch, as others may with it
        self._limit = 1
        self._served = 0  # so far the serving generation was seen to be
        self._last_failed_position: int | None = None  # the position at which it last failed
        self._housekeeping = True
        self._log = logger("projector")

    def renewed(self, lead: GenerationLease, *, asked: bool) -> None:
        """The lease was renewed; `asked`: an operator may have asked for something."""
        self.lead = lead
        self._housekeeping = self._housekeeping or asked
        if not lead.failures:
            self.retry_at = None  # it was resumed

    def advance(self, head: int) -> bool:
        """Apply one batch. Returns whether there may be more at once.

        Raises DatabaseUnavailable, LeadershipLost and ProjectionRefused.
        """
        now = self._clock.now()
        self.strides = False
        if self.lead.paused or (self.retry_at is not None and now < self.retry_at):
            return False
        more = self._run_maintenance()
        until = self._until(head)
        if until <= self.lead.position:
            return self._swapped() or more
        topics = self._applying.routes.topics
        entries, reached = self._events.after(self.lead.position, self._limit, topics, until)
        meanwhile = partial(self._events.prepare, reached, self._limit, topics, until)
        if self._applied(entries, reached, meanwhile):
            self.retry_at = self._last_failed_position = None
            self._backoff.reset()
            full = self._limit == self._settings.batch_size
            self.strides = full and self._events.shares(reached, topics)
        self._moved()
        self._pace(now)
        return more or self.retry_at is None

    def put_off(self) -> None:
        """The database refuses this for now: the others need not wait for it."""
        self.retry_at = self._clock.now() + timedelta(seconds=self._backoff.pause())

    def _pace(self, since: datetime) -> None:
        """Batches grow from one event, and those that take too long get smaller.

        The lease would run out over one that is too large, and who takes over would fare no better.
        """
        took = (self._clock.now() - since).total_seconds()
        longest = self._settings.lease_seconds / SHARE_OF_LEASE
        if took > longest:
            self._limit = max(1, self._limit // 2)
        else:
            times = GROWTH if took * GROWTH < longest else 2
            self._limit = min(self._limit * times, self._settings.batch_size)

    def _until(self, head: int) -> int:
        """What is built never goes beyond what serves: where they meet, it takes its place."""
        if not self.lead.building:
            return head
        if self.lead.position >= self._served:  # which only grows, and need not be asked for often
            serving = self._serving(self.place.name)
            self._served = head if serving is None else serving
        return min(head, self._served)

    def _swapped(self) -> bool:
        if not self.lead.building or not self._store.swap(self.place, self.lead.epoch):
            return False
        at = self.lead.position
        self.lead = replace(self.lead, state="serving", no_effects_until=at)
        self._housekeeping = True
        self._log.emit(Signal.PROJECTION_SWAPPED, projection=str(self.place), position=at)
        return True

    def _applied(
        self, entries: Sequence[LogEntry], until: int, meanwhile: Callable[[], None] | None = None
    ) -> bool:
        """Apply events and move to `until`; halves where that fails. False: it must wait."""
        try:
            self._commit(entries, until, meanwhile=meanwhile)
        except Exception as error:  # noqa: BLE001 - methods raise what they please
            reraise_database_errors(error)
            if len(entries) <= 1:
                return self._failed(entries, until, error)
            clear_traceback(error)
        else:
            return True
        # Outside of the handler: what is raised now must not be told as raised during the other.
        half = len(entries) // 2
        first, rest = entries[:half], entries[half:]
        return self._applied(first, first[-1].position) and self._applied(rest, until)

    def _commit(
        self,
        entries: Sequence[LogEntry],
        until: int,
        parked: Sequence[Aside] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """One transaction: the rows, the parked events, the position.

        `meanwhile` is done when the statements are sent, while the server works on them.
        """
        silent = None if self.lead.building else self.lead.no_effects_until
        wanted, aside = self._parking.sorted_out(entries)
        alone = len(entries) == 1
        with self._store.batch(
            self.place,
            self.lead,
            until,
            durable=self._applying.effects,
            pipeline=not alone,
        ) as batch:
            self._applying.apply([entry.read for entry in wanted], batch.cursor, silent)
            batch.parked.extend([*aside, *parked])
            if meanwhile is not None:
                meanwhile()
            self._faults.reached("projecting")
        self.lead = replace(self.lead, position=until)
        self._faults.reached("projected")

    def _passes_over(self, error: Exception) -> bool:
        """A read model of the engine's own leaves a task alone of which it cannot take an event.

        Nobody could do anything about the event, and there are all the others.
        """
        if self._applying.projection.builtin and is_of_the_data(error):
            return True
        return self._policy != "stop" and not self.lead.building

    def _failed(self, entries: Sequence[LogEntry], until: int, error: Exception) -> bool:
        """A single event failed, or a batch without any: as the policy says."""
        position = entries[0].position if entries else self.lead.position
        failure = failure_of(error, self._settings)
        if entries and self._passes_over(error):
            task = entries[0].task_id
            self._commit((), until, [Aside(position, task, failure)])
            self._parking.add(task)
            self._log.emit(
                Signal.PROJECTION_EVENT_PARKED,
                projection=str(self.place),
                position=position,
                error=failure.sentence,
            )
            self._tell_where(position, failure)
            return True
        self._store.failed(self.place, self.lead.epoch, position, failure)
        self.retry_at = self._clock.now() + timedelta(seconds=self._backoff.pause())
        if self._last_failed_position != position:
            self._last_failed_position = position
            self._log.emit(
                Signal.PROJECTION_STOPPED,
                projection=str(self.place),
                position=position,
                error=failure.sentence,
            )
            self._tell_where(position, failure)
        return False

    def _tell_where(self, position: int, failure: Failure) -> None:
        if failure.traceback is not None:
            self._log.emit(
                Signal.PROJECTION_RAISED,
                projection=str(self.place),
                position=position,
                traceback=failure.traceback,
            )

    def _run_maintenance(self) -> bool:
        """What operators asked for; whether there is more of it. Only what serves is touched."""
        if not self._housekeeping or self.lead.building:
            return False
        self._parking.carry_out_requests(self.lead)
        self._store.drop_retired(self.place.name)
        self._housekeeping = self._rebuilt_tasks()
        return self._housekeeping

    def _rebuilt_tasks(self) -> bool:
        """The next tasks of a rebuild that was asked for; whether there may be more."""
        asked = self._store.next_rebuild(self.place.name)
        if asked is None:
            return False
        rebuild, tasks = asked
        try:
            self._rebuild(tasks)
        except Exception as error:  # noqa: BLE001 - methods raise what they please
            reraise_database_errors(error)
            failure = failure_of(error, self._settings)
            self._store.advance_rebuild(rebuild, None, 0, failure.sentence)
            self._tell_where(self.lead.position, failure)
            return True
        self._store.advance_rebuild(rebuild, tasks[-1] if tasks else None, len(tasks))
        return True

    def _rebuild(self, tasks: Sequence[UUID]) -> None:
        """Delete the rows of these tasks and make them anew, in one transaction.

        Done again after a crash it gives the same rows, so its progress may be stored behind it.
        """
        entries = [e for task in tasks for e in self._events.of_task(task, self.lead.position)]
        entries.sort(key=lambda entry: entry.position)
        topics, aside = self._applying.routes.topics, self._store.aside(self.place)
        wanted = [e for e in entries if e.topic in topics and e.position not in aside]
        reads = [entry.read for entry in wanted]
        if tasks:
            with self._store.batch(self.place, self.lead, self.lead.position) as batch:
                with EndsForks():
                    self._applying.projection.forget(tasks, batch.cursor)
                self._applying.apply(reads, batch.cursor, None)
