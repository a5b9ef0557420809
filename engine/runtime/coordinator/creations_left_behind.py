"""Tasks that were created while a joint round was on its way, and stand before it in the log.

The shard's position moves past them with the round, undecided as they are: its row says from where
on. They are the next facts to be read.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowledger.engine.events.base import Recorded, Unreadable
from flowledger.engine.ports.coordinator import CoordinatorStore


class CreationsLeftBehind:
    """`behind` is the position from which on they are to be read; None where there are none."""

    def __init__(self, store: CoordinatorStore) -> None:
        self._store = store
        self._stored: int | None = None
        self.behind: int | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether the row of the shard speaks of some, and all of them were read."""
        return self._stored is not None and self.behind is None

    def elected(self) -> None:
        """Another may have left some."""
        self.stored(self._store.created_from())
        self.again()

    def read(self, until: int, limit: int) -> Sequence[Recorded | Unreadable]:
        """The next of them, up to a position."""
        if self.behind is None:
            return ()
        found = self._store.creations(self.behind, until, limit)
        self.behind = found[-1].position if len(found) == limit else None
        return found

    def stored(self, behind: int | None) -> None:
        """The row of the shard says so now."""
        self._stored = behind

    def again(self) -> None:
        """What was read since the last commit is to be read again."""
        self.behind = self._stored
