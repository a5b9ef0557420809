"""Has the tasks begin that wait to, in their turn.

Which of them wait is no list of its own: they are the pending tasks of the read model. A leader
that has just been elected finds them there, and one that dies leaves nothing behind but them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from flowledger.engine.domain.limits.task_starts import TaskStarts
from flowledger.engine.ports.coordinator import CoordinatorStore
from flowledger.engine.runtime.coordinator.run_cache import RunCache

MOST_BEGUN = 256
"""Tasks of a template that begin with one commit."""


class TaskBeginnings:
    """Reads who waits to begin, and says who is next."""

    def __init__(
        self, ledger: CoordinatorStore, starts: TaskStarts, runs: RunCache, ageing_seconds: float
    ) -> None:
        self._ledger = ledger
        self._starts = starts
        self._runs = runs
        self._ageing = ageing_seconds

    def next_tasks(self, now: datetime, limit: int, position: int) -> Iterator[UUID]:
        """The tasks to decide on now, of each template no more than there is room for.

        What is stored waits longer than what was held in the batch at hand, and goes first. To be
        called where all that was decided before is stored.
        """
        starts = self._starts
        if not (starts.unknown or starts.can_go_on(now)):
            return
        full = [] if starts.unknown else [t for t in starts.waiting if not starts.room(t, now)]
        stored = defaultdict[UUID, list[UUID]](list)
        for template, task in self._ledger.waiting_to_begin(limit, full, self._ageing):
            stored[template].append(task)
        held = starts.take_held(full)
        starts.waiting.update(stored, held)
        starts.unknown = False
        for template in sorted(starts.waiting.difference(full)):
            older = stored[template]
            self._runs.prefetch(older[: starts.room(template, now)], position)
            yield from self._stored(template, older, now, more=len(older) == limit)
            if template not in starts.waiting:
                starts.serve(template)
                yield from held.get(template, ())
                starts.serve(None)

    def _stored(
        self, template: UUID, older: Sequence[UUID], now: datetime, *, more: bool
    ) -> Iterator[UUID]:
        """Those that are stored; where there are no more, none of the template waits."""
        self._starts.serve(template)
        for task in older:
            if not self._starts.room(template, now):
                more = True
                break
            yield task
        self._starts.serve(None)
        if not more:
            self._starts.waiting.discard(template)

    def end(self) -> None:
        """Nobody else begins with this batch; those that were held will not be needed soon."""
        self._starts.serve(None)
        for run in self._starts.held:
            self._runs.put_off(run)
