"""The log as projections read it: in order, and each event decoded once for all of them.

Projections that keep up read the same last events at nearly the same time. These are kept here, as
rows, and decoded when the first projection wants them. One that is far behind reads for itself, and
only what it subscribes to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from flowledger.engine.errors import LogCorrupt
from flowledger.engine.ports import Recorded, Unreadable
from flowledger.engine.store.failures import translated
from flowledger.engine.store.mapper import LedgerMapper
from flowledger.engine.store.recorder import LedgerNotification, LedgerRecorder

Read = Recorded | Unreadable


class Entry:
    """A row of the log, decoded on demand."""

    __slots__ = ("_mapper", "_read", "row")

    def __init__(self, row: LedgerNotification, mapper: LedgerMapper) -> None:
        self.row = row
        self._mapper = mapper
        self._read: Read | None = None

    @property
    def position(self) -> int:
        """Its place in the log."""
        return self.row.id

    @property
    def read(self) -> Read:
        """The event, or why it cannot be read."""
        if self._read is None:
            row = self.row
            try:
                event = self._mapper.to_domain_event(row)
                self._read = Recorded(row.id, row.recorded_at, event)
            except LogCorrupt as error:
                self._read = Unreadable(row.id, row.task_id, str(error))
        return self._read


class Log:
    """The log, with its last `kept` events at hand. Methods raise DatabaseUnavailable."""

    def __init__(self, recorder: LedgerRecorder, mapper: LedgerMapper, kept: int) -> None:
        self._recorder = recorder
        self._mapper = mapper
        self._kept = kept
        self._tail: list[Entry] = []
        self._begins = self._ends = -1  # the tail holds every event behind the one, up to the other
        self.head = 0

    def forget(self) -> None:
        """Read again what is at hand: the server may have lost it."""
        self._tail, self._begins, self._ends = [], -1, -1

    def look(self) -> int:
        """See how far the log is; returns its last position, 0 where it is empty."""
        with translated():
            self.head = self._recorder.max_notification_id() or 0
        return self.head

    def after(
        self, position: int, limit: int, topics: Collection[str], until: int
    ) -> tuple[Sequence[Entry], int]:
        """Events of these topics behind a position, and how far one has come with them.

        At most `limit` of them, and none beyond `until`, which is not beyond `head`.
        """
        if self._begins <= position and self._extended(position, until):
            return self._from_tail(position, limit, topics, until)
        with translated():
            rows = self._recorder.select_notifications(
                position, limit, until, sorted(topics), inclusive_of_start=False
            )
        entries = [Entry(row, self._mapper) for row in rows]
        return entries, entries[-1].position if len(entries) == limit else until

    def _extended(self, position: int, until: int) -> bool:
        """Have the tail reach `until`; False where the position is too far behind it."""
        if self._ends < 0 or position > self._ends:
            if until - position > self._kept:
                return False
            self._tail, self._begins, self._ends = [], position, position
        while self._ends < until:
            with translated():
                rows = self._recorder.select_notifications(
                    self._ends, self._kept, until, inclusive_of_start=False
                )
            self._tail += [Entry(row, self._mapper) for row in rows]
            self._ends = rows[-1].id if len(rows) == self._kept else until
            self._shorten()
            if position < self._begins:
                return False
        return True

    def _shorten(self) -> None:
        beyond = len(self._tail) - self._kept
        if beyond > 0:
            self._begins = self._tail[beyond - 1].position
            del self._tail[:beyond]

    def _from_tail(
        self, position: int, limit: int, topics: Collection[str], until: int
    ) -> tuple[Sequence[Entry], int]:
        found: list[Entry] = []
        for entry in self._tail[bisect_right(self._tail, position, key=_position) :]:
            if entry.position > until:
                break
            if entry.row.topic in topics:
                found.append(entry)
                if len(found) == limit:
                    return found, entry.position
        return found, until

    def at(self, positions: Sequence[int]) -> Iterator[Entry]:
        """The events at these places, in their order."""
        for position in positions:
            with translated():
                rows = self._recorder.select_notifications(position, 1, position)
            yield from (Entry(row, self._mapper) for row in rows)

    def of_task(self, task_id: UUID, until: int) -> list[Entry]:
        """The history of a task up to a position, in order."""
        with translated():
            rows = self._recorder.select_task(task_id)
        return [Entry(row, self._mapper) for row in rows if row.id <= until]


def _position(entry: Entry) -> int:
    return entry.position
