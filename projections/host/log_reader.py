"""Reads the log for projections: in order, and each event decoded once for all of them.

Projections that keep up read the same last events at nearly the same time. These are cached as
rows, and decoded when the first projection needs them, or earlier while the server is busy.
Projections that are rebuilding and subscribe to all step events share one read window. The host
keeps them within `APART` batches of each other, so that each event is read and decoded once. Any
other projection reads for itself, and only what it subscribes to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from threading import Lock
from uuid import UUID

from flowledger.engine.errors import EngineError, LogCorrupt
from flowledger.engine.events.base import Recorded, Unreadable
from flowledger.engine.events.step import StepCompleted, StepEnqueued, StepStarted
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.eventsourcing_recorders import LedgerRecorder, LogRow

Read = Recorded | Unreadable
EACH_STEP = frozenset({StepEnqueued.topic, StepStarted.topic, StepCompleted.topic})
"""What every step leaves in the log: who wants all of it reads nearly everything."""

APART = 4
"""So many batches may be between the projections that share them."""


class LogEntry:
    """A row of the log, decoded on demand."""

    __slots__ = ("_mapper", "_read", "_row", "position", "task_id", "topic")

    def __init__(self, row: LogRow, mapper: EventMapper) -> None:
        self.position, _, _, self.topic, _, self.task_id, _ = self._row = row
        self._mapper = mapper
        self._read: Read | None = None

    @property
    def read(self) -> Read:
        """The event, or why it cannot be read."""
        return self._read or self.decode()

    def decode(self) -> Read:
        """Read it now."""
        position, stream, version, topic, state, task_id, recorded_at = self._row
        read: Read
        try:
            event = self._mapper.event(stream, version, topic, state, task_id, position)
            read = Recorded(position, recorded_at, event)
        except LogCorrupt as error:
            read = Unreadable(position, task_id, str(error))
        self._read = read
        return read


class Window:
    """A part of the log that is at hand: every event behind `begins`, up to `ends`.

    `decoded` is how far somebody decoded it before it was wanted.
    """

    def __init__(self, begins: int = -1) -> None:
        self.begins = self.ends = self.decoded = begins
        self._entries: list[LogEntry] = []

    def holds(self, position: int) -> bool:
        """Whether one can go on from there."""
        return 0 <= self.begins <= position <= self.ends

    def add(self, entries: Sequence[LogEntry], ends: int) -> None:
        """What follows, up to `ends`."""
        self._entries += entries
        self.ends = ends

    def behind(self, position: int) -> int:
        """How many events there are behind a position."""
        return len(self._entries) - self._place(position)

    def shorten(self, kept: int, position: int) -> None:
        """Keep all after the position, and up to so many of the events before it."""
        beyond = self._place(position) - kept
        if beyond > 0:
            self.begins = self._entries[beyond - 1].position
            del self._entries[:beyond]

    def after(
        self, position: int, limit: int, topics: Collection[str], until: int
    ) -> tuple[Sequence[LogEntry], int]:
        """Events of these topics behind a position, and how far one has come with them."""
        until = min(until, self.ends)
        there = self._entries[self._place(position) : self._place(until)]
        found = list(islice((entry for entry in there if entry.topic in topics), limit))
        return found, found[-1].position if len(found) == limit else until

    def _place(self, position: int) -> int:
        return bisect_right(self._entries, position, key=_position)


class LogReader:
    """The log, with its last `kept` events at hand. Methods raise DatabaseUnavailable.

    Projections that are applied at the same time read from it in their threads.
    """

    def __init__(self, recorder: LedgerRecorder, mapper: EventMapper, kept: int) -> None:
        self._recorder = recorder
        self._mapper = mapper
        self._kept = kept
        self._tail = Window()
        self._past = Window()
        self._anew = False  # whether the past was read from elsewhere before it was last asked for
        self._lock = Lock()  # of all three
        self.head = 0

    def forget(self) -> None:
        """Read again what is at hand: the server may have lost it."""
        self._tail, self._past = Window(), Window()

    def look(self) -> int:
        """See how far the log is; returns its last position, 0 where it is empty."""
        with translate_errors():
            self.head = self._recorder.max_notification_id() or 0
        return self.head

    def after(
        self, position: int, limit: int, topics: Collection[str], until: int
    ) -> tuple[Sequence[LogEntry], int]:
        """Events of these topics behind a position, and how far one has come with them.

        At most `limit` of them, and none beyond `until`, which is not beyond `head`.
        """
        with self._lock:
            stretch = self._shared(position, limit, topics, until)
            if stretch is not None:
                return stretch.after(position, limit, topics, until)
        entries = self._read(position, limit, until, sorted(topics))
        return entries, entries[-1].position if len(entries) == limit else until

    def prepare(self, position: int, limit: int, topics: Collection[str], until: int) -> None:
        """Read and decode what `after` will be asked for next, where that is shared.

        For the time in which the server works on a batch, so it waits neither for a connection nor
        for others. What goes wrong is left to `after`.
        """
        room = position < until and self._recorder.datastore.has_room
        if not room or not self._lock.acquire(blocking=False):
            return
        entries: Sequence[LogEntry] = ()
        try:
            stretch = self._at_hand(position, limit, topics, until)
            if stretch is not None and stretch.decoded <= position:
                entries, stretch.decoded = stretch.after(position, limit, topics, until)
        except EngineError:
            return
        finally:
            self._lock.release()
        for entry in entries:
            entry.decode()

    def _at_hand(
        self, position: int, limit: int, topics: Collection[str], until: int
    ) -> Window | None:
        """What is there and goes on from the position; None: others would throw it away."""
        if self._tail.holds(position):
            return self._tail
        if self._anew or not self._past.holds(position) or not EACH_STEP.issubset(topics):
            return None
        return self._stretched(position, limit, until)

    def shares(self, position: int, topics: Collection[str]) -> bool:
        """Whether who is there, and wants these, reads what others read who are as far behind."""
        return self.head - position > self._kept and EACH_STEP.issubset(topics)

    def _shared(
        self, position: int, limit: int, topics: Collection[str], until: int
    ) -> Window | None:
        """What is at hand and has what is asked for, or as much as is read at a time."""
        if self._tail.begins <= position and self._extended(position, until):
            return self._tail
        return self._stretched(position, limit, until) if EACH_STEP.issubset(topics) else None

    def _extended(self, position: int, until: int) -> bool:
        """Have the tail reach `until`; False where the position is too far behind it."""
        if not self._tail.holds(position):
            if until - position > self._kept:
                return False
            self._tail = Window(position)
        tail = self._tail
        while tail.ends < until:
            entries = self._read(tail.ends, self._kept, until)
            tail.add(entries, entries[-1].position if len(entries) == self._kept else until)
            tail.shorten(self._kept, tail.ends)
            if position < tail.begins:
                return False
        return True

    def _stretched(self, position: int, limit: int, until: int) -> Window:
        self._anew = not self._past.holds(position)
        if self._anew:
            self._past = Window(position)
        past = self._past
        if past.ends < until and past.behind(position) < limit:
            more = self._read(past.ends, limit, until)
            past.add(more, more[-1].position if len(more) == limit else until)
            past.shorten(APART * limit, position)
        return past

    def _read(
        self, position: int, limit: int, until: int, topics: Sequence[str] = ()
    ) -> list[LogEntry]:
        with translate_errors():
            rows = self._recorder.rows(position, limit, until, topics)
        mapper = self._mapper
        return [LogEntry(row, mapper) for row in rows]

    def at(self, positions: Sequence[int]) -> Iterator[LogEntry]:
        """The events at these places, in their order."""
        for position in positions:
            with translate_errors():
                rows = self._recorder.rows(position - 1, 1, position)
            yield from (LogEntry(row, self._mapper) for row in rows)

    def of_task(self, task_id: UUID, until: int) -> list[LogEntry]:
        """The history of a task up to a position, in order."""
        with translate_errors():
            rows = self._recorder.rows_of_task(task_id)
        return [LogEntry(row, self._mapper) for row in rows if row[0] <= until]


def _position(entry: LogEntry) -> int:
    return entry.position
