"""Parked events of a projection, what operators ask of them, and whose fault an error is."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from flowledger.engine.config.projection_section import ProjectionSettings
from flowledger.engine.events.base import Recorded
from flowledger.projections.dispatch import Dispatcher
from flowledger.projections.host.failure_from_exception import (
    Failure,
    failure_of,
    reraise_database_errors,
)
from flowledger.projections.host.generation_types import (
    Aside,
    Generation,
    GenerationLease,
    Parked,
)
from flowledger.projections.host.host_store import HostStore
from flowledger.projections.host.log_reader import LogEntry, LogReader

AFTER = Failure("an earlier event of its task is parked")


class ParkedEvents:
    """What is parked of one generation. Methods raise DatabaseUnavailable and LeadershipLost."""

    def __init__(
        self,
        place: Generation,
        store: HostStore,
        events: LogReader,
        applying: Dispatcher,
        settings: ProjectionSettings,
    ) -> None:
        self._place = place
        self._store = store
        self._events = events
        self._applying = applying
        self._settings = settings
        projection = applying.projection
        self._by_task = projection.on_error == "park_task" or projection.builtin
        self._tasks: set[UUID] = set()

    def add(self, task: UUID | None) -> None:
        """From now on events of the task are parked, if the policy says so."""
        if self._by_task and task is not None:
            self._tasks.add(task)

    def sorted_out(self, entries: Sequence[LogEntry]) -> tuple[Sequence[LogEntry], list[Aside]]:
        """What is to be applied, and what is parked, since its task is."""
        if not self._tasks:
            return entries, []
        wanted: list[LogEntry] = []
        aside: list[Aside] = []
        for entry in entries:
            if entry.task_id not in self._tasks:
                wanted.append(entry)
            elif self._concerns(entry):
                aside.append(Aside(entry.position, entry.task_id, AFTER))
        return wanted, aside

    def _concerns(self, entry: LogEntry) -> bool:
        read = entry.read
        return not isinstance(read, Recorded) or bool(self._applying.routes.of(read.event))

    def carry_out_requests(self, lead: GenerationLease) -> None:
        """Retry and drop what an operator wants retried and dropped, in the order of the log.

        Where an event of a parked task fails again, or is not asked for, those behind it wait on.
        """
        parked = self._store.parked(self._place)
        stuck: set[UUID | None] = set()
        done: set[int] = set()
        for one in parked:
            waits = self._by_task and one.task_id in stuck
            if one.requested_action and not waits and self._carried_out(one, lead):
                done.add(one.position)
            elif not one.skipped:
                stuck.add(one.task_id)
        if self._by_task:
            waiting = [one for one in parked if one.position not in done and not one.skipped]
            self._tasks = {one.task_id for one in waiting if one.task_id}

    def _carried_out(self, parked: Parked, lead: GenerationLease) -> bool:
        wanted = [parked.position] if parked.requested_action == "retry" else []
        topics = self._applying.routes.topics
        entries = [entry for entry in self._events.at(wanted) if entry.topic in topics]
        try:
            with self._store.batch(self._place, lead, lead.position, pipeline=False) as batch:
                reads = [entry.read for entry in entries]
                self._applying.apply(reads, batch.cursor, lead.no_effects_until)
                batch.settled.append(parked.position)
        except Exception as error:  # noqa: BLE001 - methods raise what they please
            reraise_database_errors(error)
            failure = failure_of(error, self._settings)
            self._store.failed_again(self._place, parked.position, failure)
            return False
        return True
