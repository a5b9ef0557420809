"""A cache of open tasks in memory; a task that is not in it is folded from the log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable
from uuid import UUID

from flowledger.engine.domain.machine.task_run import TaskRun, fold_run
from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.coordinator import CoordinatorStore


def nothing(_: TaskRun) -> None:
    """Nobody is told."""


class RunCache:
    """Runs by task, at most `limit` of them; the longest untouched goes first.

    Every step in one of the `limited` namespaces has a limit. `folded` is told of a run that was
    folded from the log. While it is `careful`, a creation that is met in the log may have been
    answered before: by a leader that took up a parked task, of which it had not met it yet.
    """

    def __init__(
        self,
        store: CoordinatorStore,
        limit: int,
        limited: Container[str] = (),
        folded: Callable[[TaskRun], None] = nothing,
    ) -> None:
        self.careful = False
        self._store = store
        self._limit = limit
        self._limited = limited
        self._folded = folded
        self._runs: OrderedDict[UUID, TaskRun] = OrderedDict()
        self._plans: dict[UUID, Plan] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def create(self, created: TaskCreated) -> TaskRun:
        """The run of a task that has just been created."""
        run = TaskRun(created, self._plan(created.template_id))
        self._runs[run.task_id] = run
        return run

    def fold(self, event: TaskEvent, position: int) -> TaskRun:
        """The run with the event, which stands at most at that position. Raises as `at` does."""
        if not isinstance(event, TaskCreated):
            run = self.at(event.task_id, position)
            run.apply(event)
            return run
        if event.submission is None and not self.careful:
            return self.create(event)
        # There are decisions about it in the log, where it is met only now.
        return self.at(event.task_id, position)

    def cached(self, task_id: UUID) -> TaskRun | None:
        """The run, where it is in memory."""
        return self._runs.get(task_id)

    def at(self, task_id: UUID, position: int) -> TaskRun:
        """The run as it was decided up to the position. Raises LogCorrupt, IllegalTransition."""
        run = self._runs.get(task_id)
        if run is None:
            run = self._load(task_id, position)
            self._folded(run)
            self._runs[task_id] = run
        else:
            self._runs.move_to_end(task_id)
        return run

    def forget(self, tasks: Iterable[UUID]) -> None:
        """Drop runs: they ended, or what is in memory is not what is stored."""
        for task in tasks:
            self._runs.pop(task, None)

    def forget_all(self) -> None:
        """Drop every run; plans stay, they never change."""
        self._runs.clear()

    def shrink(self) -> None:
        """Keep to the limit. To be called between batches."""
        while len(self._runs) > self._limit:
            self._runs.popitem(last=False)

    def _load(self, task_id: UUID, position: int) -> TaskRun:
        events = self._store.task_events(task_id, position)
        if not events or not isinstance(events[0], TaskCreated):
            raise LogCorrupt(f"the history of task {task_id} does not begin with its creation")
        return fold_run(events, self._plan(events[0].template_id))

    def _plan(self, template_id: UUID) -> Plan:
        plan = self._plans.get(template_id)
        if plan is None:
            plan = compile_plan(self._store.template(template_id), self._limited)
            self._plans[template_id] = plan
        return plan
