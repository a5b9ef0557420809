"""Calling the methods of a projection with events, in the order of the log."""

from __future__ import annotations

from collections.abc import Sequence

from flowledger.engine.errors import LogCorrupt
from flowledger.engine.ports.coordinator import Recorded, Unreadable
from flowledger.projections.cursor import Cursor
from flowledger.projections.projection import Projection, Routes


class Applying:
    """A projection with its routes; `effects` says whether any method acts outside its tables."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.routes = Routes(projection)
        self.effects = self.routes.effects
        self._all_to_one = len(self.routes.all) == 1 and not self.routes.all[0].subscription.filters

    def apply(
        self, events: Sequence[Recorded | Unreadable], cursor: Cursor, silent_until: int | None
    ) -> None:
        """Call the methods that want these events; effects only behind `silent_until` (None: none).

        The events are of kinds that the projection subscribes to. Raises what they raise, and
        LogCorrupt for an event that cannot be read.
        """
        if self.routes.batch:
            self._apply_batch(events, cursor)
            return
        for one in events:
            recorded = readable(one)
            event = recorded.event
            loud = silent_until is not None and recorded.position > silent_until
            for route in self.routes.of(event):
                if loud or not route.subscription.effect:
                    cursor.position, cursor.recorded_at = recorded.position, recorded.recorded_at
                    route.call(event, cursor)

    def _apply_batch(self, events: Sequence[Recorded | Unreadable], cursor: Cursor) -> None:
        readables = [one if isinstance(one, Recorded) else readable(one) for one in events]
        for route in self.routes.all:
            some = readables if self._all_to_one else route.among(readables)
            if some:
                cursor.position, cursor.recorded_at = some[-1].position, some[-1].recorded_at
                route.call(some, cursor)


def readable(recorded: Recorded | Unreadable) -> Recorded:
    """The event. Raises LogCorrupt where it cannot be read."""
    if isinstance(recorded, Unreadable):
        raise LogCorrupt(recorded.reason)
    return recorded
