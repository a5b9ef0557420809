"""Which tasks may begin: of each template so many that its workers always find work, and no more.

A task that has begun is to be finished before the next begins. Were all of a burst begun at once,
all of it would end at once, at its very end, and all of it would be in memory. So a task waits to
begin while its template has more steps queued than its workers start in a short time. What waits
otherwise, for a retry or for room under a limit, keeps nobody from beginning.

Each template has a measure of its own: one that no worker serves holds up nobody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from uuid import UUID

from flowledger.engine.domain.machine.task_run import TaskRun


class Pace:
    """How many steps of one template are started in a span of time; what its workers may need."""

    __slots__ = ("_begun_at", "_last", "_now", "_span")

    def __init__(self, span: timedelta, now: datetime) -> None:
        self._span = span
        self._begun_at = now
        self._now = self._last = 0

    def started(self, now: datetime) -> None:
        """One was."""
        self._roll(now)
        self._now += 1

    def ahead(self, now: datetime) -> int:
        """Steps that are started within the span, as far as the past tells."""
        self._roll(now)
        return max(self._last, self._now)

    def _roll(self, now: datetime) -> None:
        passed = now - self._begun_at
        if abs(passed) < self._span:
            return
        self._last = round(self._now * (self._span / abs(passed)))
        self._now, self._begun_at = 0, now


class TaskStarts:
    """Who of a shard may begin, and of which templates tasks wait to.

    `waiting` has the templates of which tasks wait that are stored, or will be with the batch at
    hand. `held` are the runs that were held in it, in their order. It is `unknown` what waits,
    until it was looked up.

    Of each template as many steps are queued as its workers start within some `seconds`, and at
    `least` so many. `queued` counts them, by template.
    """

    def __init__(self, least: int, seconds: float, queued: Callable[[], Counter[UUID]]) -> None:
        self._least = least
        self._span = timedelta(seconds=seconds)
        self._count = queued
        self._queued: Counter[UUID] | None = None
        self._paces: dict[UUID, Pace] = {}
        self._served: UUID | None = None
        self._since: datetime | None = None
        self.waiting: set[UUID] = set()
        self.held: list[TaskRun] = []
        self.unknown = True

    def forget(self) -> None:
        """What waits is to be looked up."""
        self.unknown = True
        self.waiting.clear()
        self.begin_batch()

    def begin_batch(self) -> None:
        """Nothing is decided yet."""
        self._queued = None
        self.held.clear()

    def step_started(self, template: UUID, now: datetime) -> None:
        """A worker has taken one of the template's steps."""
        pace = self._paces.get(template)
        if pace is None:
            pace = self._paces[template] = Pace(self._span, now)
        pace.started(now)

    def may_start(self, run: TaskRun, now: datetime) -> bool:
        """Whether the task may begin now. It is `held` where it may not.

        A delayed one may, whose time has come: its timer is gone.
        """
        template = run.plan.template_id
        if run.start_at is None and not self._is_next(template, now):
            self.waiting.add(template)
            self.held.append(run)
            return False
        self._counted()[template] += len(run.plan.roots)
        if self._since is not None and self._since < run.created_at:
            run.turn_since = self._since
        return True

    def room(self, template: UUID, now: datetime) -> int:
        """Steps of the template that may be queued by tasks that begin."""
        pace = self._paces.get(template)
        ahead = 0 if pace is None else pace.ahead(now)
        return max(0, max(self._least, ahead) - self._counted()[template])

    def can_go_on(self, now: datetime) -> bool:
        """Whether there is room for some of those that wait."""
        return any(self.room(template, now) for template in self.waiting)

    def take_held(self, full: Collection[UUID]) -> dict[UUID, list[UUID]]:
        """Those that were held, by template, but for these templates; they are held no more."""
        taken: dict[UUID, list[UUID]] = {}
        for run in self.held:
            if run.plan.template_id not in full:
                taken.setdefault(run.plan.template_id, []).append(run.task_id)
        self.held[:] = (run for run in self.held if run.plan.template_id in full)
        return taken

    def serve(self, template: UUID | None, since: datetime | None = None) -> None:
        """Those that wait of this template are next, until None is.

        Where they are by the turn of their key, older ones may have waited `since` then.
        """
        self._served, self._since = template, since

    def _is_next(self, template: UUID, now: datetime) -> bool:
        older = self.unknown or template in self.waiting
        return (not older or template == self._served) and self.room(template, now) > 0

    def _counted(self) -> Counter[UUID]:
        if self._queued is None:
            self._queued = self._count()
        return self._queued
