"""The log of a database in memory: positions in one order, and a fence for each stream."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from flowledger.engine.errors import StreamMoved
from flowledger.engine.events.base import Event, Recorded, TaskEvent
from flowledger.engine.events.notes import TaskNote

Kinds = tuple[type[Event], ...]
position_of: Callable[[Recorded], int] = attrgetter("position")


def every(_: Event) -> bool:
    """Every event is wanted."""
    return True


def same(one: Event, other: Event) -> bool:
    """Whether two events would be stored as the same bytes."""
    return type(one) is type(other) and vars(one) == vars(other)


class Log:
    """Every event of every stream. Appending is one transaction: all of it or an error.

    `ends` has the last position of each transaction.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.rows: list[Recorded] = []
        self._streams: defaultdict[UUID, dict[int, Event]] = defaultdict(dict)
        self._tasks: defaultdict[UUID, list[Recorded]] = defaultdict(list)
        self._last = 0
        self.ends: set[int] = set()

    @property
    def tasks(self) -> Sequence[UUID]:
        """Every task that there are events of, in the order of their first ones."""
        return list(self._tasks)

    def version(self, stream: UUID) -> int:
        """Where the stream stands; 0 where it has no events."""
        return max(self._streams[stream], default=0) if stream in self._streams else 0

    def stream(self, stream: UUID) -> Sequence[Event]:
        """The events of a stream, in order."""
        events = self._streams.get(stream, {})
        return [events[version] for version in sorted(events)]

    def of_task(self, task_id: UUID) -> Sequence[Recorded]:
        """The history of a task, in log order."""
        return sorted(self._tasks.get(task_id, ()), key=position_of)

    @property
    def end(self) -> int:
        """The last position; 0 where nothing has happened."""
        return self.rows[-1].position if self.rows else 0

    def after(
        self, position: int, limit: int, kinds: Kinds, wanted: Callable[[Event], bool] = every
    ) -> Sequence[Recorded]:
        """Events of these kinds behind a position that are wanted, at most so many."""
        found: list[Recorded] = []
        for number in range(bisect_right(self.rows, position, key=position_of), len(self.rows)):
            event = self.rows[number].event
            if isinstance(event, kinds) and wanted(event):
                found.append(self.rows[number])
                if len(found) == limit:
                    break
        return found

    def check(self, events: Iterable[Event]) -> None:
        """Raises StreamMoved where one of the versions is taken."""
        seen: set[tuple[UUID, int]] = set()
        for event in events:
            place = event.originator_id, event.originator_version
            if place in seen or event.originator_version in self._streams.get(place[0], {}):
                raise StreamMoved(f"version {place[1]} of stream {place[0]} is taken")
            seen.add(place)

    def append(self, events: Sequence[Event]) -> None:
        """Append all of the events. Raises StreamMoved, and then stores nothing."""
        self.check(events)
        for event in events:
            recorded = Recorded(self._position(), self._now(), event)
            place = bisect_right(self.rows, recorded.position, key=position_of)
            self.rows.insert(place, recorded)
            self._streams[event.originator_id][event.originator_version] = event
            if isinstance(event, TaskEvent | TaskNote):
                self._tasks[event.task_id].append(recorded)
        self.ends.add(self._last)

    def append_per_stream(self, events: Sequence[Event]) -> frozenset[UUID]:
        """Append facts, each stream all or none. Returns the refused streams.

        A stream is refused where it does not stand right before the batch's first version, or the
        batch skips a version; what is stored already, to the byte, is no reason to refuse it.
        """
        batch: defaultdict[UUID, list[Event]] = defaultdict(list)
        for event in events:
            batch[event.originator_id].append(event)
        moved = {stream for stream, its in batch.items() if self._moved(stream, its)}
        self.append([event for event in events if event.originator_id not in moved])
        return frozenset(stream for stream in moved if not self._stored(stream, batch[stream]))

    def _position(self) -> int:
        self._last += 1
        return self._last

    def _moved(self, stream: UUID, events: Sequence[Event]) -> bool:
        versions = [event.originator_version for event in events]
        first, last = min(versions), max(versions)
        return last - first + 1 != len(events) or first - 1 != self.version(stream)

    def _stored(self, stream: UUID, events: Sequence[Event]) -> bool:
        stored = self._streams.get(stream, {})
        return all(
            event.originator_version in stored and same(stored[event.originator_version], event)
            for event in events
        )
