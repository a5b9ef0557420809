"""Has the tasks begin that wait to, in their turn.

Which of them wait is no list of its own: they are the pending tasks of the read model. A leader
that has just been elected finds them there, and one that dies leaves nothing behind but them. Whose
turn it is of the fairness keys is known in memory alone: a new leader begins a new round of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from flowledger.engine.domain.limits.fair_turns import FairTurns, Weight, weights_of
from flowledger.engine.domain.limits.task_starts import TaskStarts
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.ports.coordinator import CoordinatorStore, WaitsForTurn
from flowledger.engine.runtime.coordinator.quarantine import UNDECIDABLE
from flowledger.engine.runtime.coordinator.run_cache import RunCache

MOST_BEGUN = 256
"""Tasks of a template that begin with one commit."""


class Next(NamedTuple):
    """A task that may begin, if so as it is the turn of its key; `since` is then what a
    `WaitsForTurn` has.
    """

    task_id: UUID
    key: str | None = None
    since: datetime | None = None


class TaskBeginnings:
    """Reads who waits to begin, and says who is next."""

    def __init__(
        self,
        ledger: CoordinatorStore,
        starts: TaskStarts,
        runs: RunCache,
        ageing_seconds: float,
        weights: Mapping[str, int],
    ) -> None:
        self._ledger = ledger
        self._starts = starts
        self._runs = runs
        self._ageing = ageing_seconds
        self._weights = weights
        self._turns: dict[UUID, FairTurns] = {}
        self._after: dict[UUID, str] = {}

    def next_tasks(self, now: datetime, limit: int, position: int) -> Iterator[UUID]:
        """The tasks to decide on now, of each template no more than there is room for.

        What is stored waits longer than what was held in the batch at hand, and goes first. To be
        called where all that was decided before is stored.
        """
        starts = self._starts
        if not (starts.unknown or starts.can_go_on(now)):
            return
        full = [] if starts.unknown else [t for t in starts.waiting if not starts.room(t, now)]
        stored, more = self._look(limit, full)
        held = starts.take_held(full)
        starts.waiting.update(stored, held)
        starts.unknown = False
        for template in sorted(starts.waiting.difference(full)):
            older = stored.get(template, ())
            self._runs.prefetch(
                [one.task_id for one in older[: starts.room(template, now)]], position
            )
            yield from self._stored(template, older, now, more=template in more)
            if template not in starts.waiting:
                starts.serve(template)
                yield from held.get(template, ())
                starts.serve(None)

    def end(self) -> None:
        """Nobody else begins with this batch; those that were held will not be needed soon."""
        self._starts.serve(None)
        for run in self._starts.held:
            self._runs.put_off(run)

    def _look(
        self, limit: int, full: Sequence[UUID]
    ) -> tuple[dict[UUID, list[Next]], Collection[UUID]]:
        """Who waits, by template, and the templates of which more may than were found."""
        waiting = self._starts.waiting.difference(full)
        asks = self._starts.unknown or any(map(self._is_fair, waiting))
        found = self._ledger.waiting_to_begin(
            limit, full, self._ageing, self._after if asks else None
        )
        stored = defaultdict[UUID, list[Next]](list)
        for template, task in found.by_age:
            stored[template].append(Next(task))
        more = {template for template, tasks in stored.items() if len(tasks) == limit}
        for template, tasks in groupby(found.in_turn, key=_template_of):
            stored[template] = list(self._in_turn(template, tasks))
            more.add(template)
        return stored, more

    def _in_turn(self, template: UUID, waiting: Iterable[WaitsForTurn]) -> Iterator[Next]:
        turns, weight = self._turns.setdefault(template, FairTurns()), self._weight(template)
        for _, found in groupby(waiting, key=_priority_of):
            keys = defaultdict[str, list[WaitsForTurn]](list)
            for task in found:
                keys[task.fairness].append(task)
            for key, task in turns.in_turn(keys, weight):
                yield Next(task.task_id, key, task.since)

    def _stored(
        self, template: UUID, older: Sequence[Next], now: datetime, *, more: bool
    ) -> Iterator[UUID]:
        """Those that are stored; where there are no more, none of the template waits."""
        for task_id, key, since in older:
            if not self._starts.room(template, now):
                more = True
                break
            self._starts.serve(template, since)
            yield task_id
            if key is not None:
                self._turns[template].took(key, self._weight(template)(key))
                self._after[template] = key
        self._starts.serve(None)
        if not more:
            self._starts.waiting.discard(template)

    def _is_fair(self, template: UUID) -> bool:
        plan = self._plan(template)
        return plan is not None and plan.template.fairness is not None

    def _weight(self, template: UUID) -> Weight:
        plan = self._plan(template)
        return _equal if plan is None else weights_of(plan, self._weights)

    def _plan(self, template: UUID) -> Plan | None:
        with suppress(*UNDECIDABLE):
            return self._runs.plan(template)
        return None


def _template_of(task: WaitsForTurn) -> UUID:
    return task.template_id


def _priority_of(task: WaitsForTurn) -> int:
    return task.priority


def _equal(_: str) -> int:
    return 1
