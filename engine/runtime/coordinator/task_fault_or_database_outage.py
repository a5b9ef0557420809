"""Whose fault it is that the database refuses what was decided about one task alone.

It may be the task, of which a row holds what no row may hold; or it is the database, where a rule
that somebody added refuses everything. What tells is whether anything else can be stored. The first
task that is refused is parked, so that the next one gets its turn; another one, with nothing stored
between, makes it the database's outage, which is told and waited out. Since tasks that are wrong
may stand side by side, each attempt within an outage goes twice as far as the one before.

When something is stored, the tasks that were refused before it are tried once more. Who is refused
then is at fault, and stays parked.
"""

from __future__ import annotations

from uuid import UUID


class Refusals:
    """The tasks that were refused alone since something was stored; for one leader at a time."""

    def __init__(self) -> None:
        self.outage: Exception | None = None
        self._since: set[UUID] = set()
        self._tried_again: set[UUID] = set()
        self._most = 1

    def blames(self, task_id: UUID, error: Exception) -> bool:
        """Whether the task is parked for this; else it is an outage from now on."""
        if task_id in self._tried_again:
            return True
        self._since.add(task_id)
        if len(self._since) <= self._most:
            return True
        self._most *= 2
        self._since.clear()
        self.outage = error
        return False

    def stored(self) -> bool:
        """Something about tasks was stored: no outage. Whether others are to be tried again."""
        self.outage, self._most = None, 1
        again, self._since = self._since, set()
        self._tried_again |= again
        return bool(again)

    def unparked(self, task_ids: list[UUID]) -> None:
        """These go on."""
        self._tried_again.difference_update(task_ids)
