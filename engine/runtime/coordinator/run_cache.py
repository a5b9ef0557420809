"""A cache of open tasks in memory; a task that is not in it is folded from the log."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from uuid import UUID

from flowledger.engine.domain.machine.task_run import TaskRun, fold_run
from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.coordinator import CoordinatorStore
from flowledger.engine.runtime.coordinator.quarantine import UNDECIDABLE

MOST_PUT_OFF = 2_000
"""Runs that have not begun are kept in memory up to so many, so that they need not be read."""


def nothing(_: TaskRun) -> None:
    """Nobody is told."""


class QueuedSteps:
    """How many steps of runs are queued, by template; only runs that may have changed are asked.

    A run may change until the next but one count after it was handed out: whoever has it may count
    on the way.
    """

    def __init__(self) -> None:
        self._of_run: dict[TaskRun, int] = {}
        self._of_template = Counter[UUID]()
        self._changed: set[TaskRun] = set()
        self._changed_before: set[TaskRun] = set()

    def may_change(self, run: TaskRun) -> None:
        """Somebody has it in hand."""
        self._changed.add(run)

    def forget(self, run: TaskRun) -> None:
        """It is not in memory any more."""
        self._of_template[run.plan.template_id] -= self._of_run.pop(run, 0)
        self._changed.discard(run)
        self._changed_before.discard(run)

    def count(self) -> Counter[UUID]:
        """The steps that are queued now."""
        for run in self._changed | self._changed_before:
            before = self._of_run.pop(run, 0)
            if run.queued:
                self._of_run[run] = run.queued
            self._of_template[run.plan.template_id] += run.queued - before
        self._changed_before, self._changed = self._changed, set()
        return Counter(self._of_template)


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
        self._put_off = deque[UUID]()
        self._counts = QueuedSteps()
        self._handed_out: set[TaskRun] = set()
        self._plans: dict[UUID, Plan] = {}

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def crowded(self) -> bool:
        """Whether there are so many that `shrink` should have its turn."""
        return len(self._runs) > self._limit or len(self._put_off) > 2 * MOST_PUT_OFF

    def begin_batch(self) -> None:
        """What is handed out from now on may be half changed where the batch comes to nothing."""
        self._handed_out.clear()

    def forget_batch(self) -> None:
        """Drop what was handed out since the batch began; the others are as they are stored."""
        self.forget([run.task_id for run in self._handed_out])

    def queued(self) -> Counter[UUID]:
        """How many steps are queued, by template."""
        return self._counts.count()

    def create(self, created: TaskCreated) -> TaskRun:
        """The run of a task that has just been created."""
        run = TaskRun(created, self.plan(created.template_id))
        self._keep(run)
        return run

    def fold(self, event: TaskEvent, position: int) -> TaskRun:
        """The run with the event, which stands at most at that position. Raises as `at` does."""
        if not isinstance(event, TaskCreated):
            run = self.at(event.task_id, position)
            run.apply(event)
            return run
        if self.begins_with(event):
            return self.create(event)
        # There are decisions about it in the log, where it is met only now.
        return self.at(event.task_id, position)

    def begins_with(self, event: TaskEvent) -> bool:
        """Whether nothing of the event's task can be in the log before it."""
        return isinstance(event, TaskCreated) and event.submission is None and not self.careful

    def cached(self, task_id: UUID) -> TaskRun | None:
        """The run, where it is in memory."""
        return self._runs.get(task_id)

    def at(self, task_id: UUID, position: int) -> TaskRun:
        """The run as it was decided up to the position. Raises LogCorrupt, IllegalTransition."""
        run = self._runs.get(task_id)
        if run is None:
            run = self._load(task_id, position)
            self._folded(run)
            self._keep(run)
        else:
            self._runs.move_to_end(task_id)
            self._hand_out(run)
        return run

    def _keep(self, run: TaskRun) -> None:
        self.forget([run.task_id])
        self._runs[run.task_id] = run
        self._hand_out(run)

    def _hand_out(self, run: TaskRun) -> None:
        self._handed_out.add(run)
        self._counts.may_change(run)

    def forget(self, tasks: Iterable[UUID]) -> None:
        """Drop runs: they ended, or what is in memory is not what is stored."""
        for task in tasks:
            if (run := self._runs.pop(task, None)) is not None:
                self._counts.forget(run)

    def forget_all(self) -> None:
        """Drop every run; plans stay, they never change."""
        self._runs.clear()
        self._put_off.clear()
        self._handed_out.clear()
        self._counts = QueuedSteps()

    def put_off(self, run: TaskRun) -> None:
        """It has not begun, and will not be needed soon."""
        self._put_off.append(run.task_id)

    def prefetch(self, tasks: Iterable[UUID], position: int) -> None:
        """Have these in memory, read at once. What cannot be folded is left to `at`."""
        missing = [task for task in dict.fromkeys(tasks) if task not in self._runs]
        if not missing:
            return
        for task, events in self._store.events_of_tasks(missing, position).items():
            with suppress(*UNDECIDABLE):
                run = self._folded_run(task, events)
                self._folded(run)
                self._keep(run)

    def shrink(self) -> None:
        """Keep to the limit. To be called between batches."""
        while self._put_off and not self._waits(self._put_off[0]):
            self._put_off.popleft()
        while len(self._put_off) > MOST_PUT_OFF:
            if self._waits(task := self._put_off.pop()):
                self.forget([task])
        while len(self._runs) > self._limit:
            self.forget([next(iter(self._runs))])

    def _waits(self, task_id: UUID) -> bool:
        run = self._runs.get(task_id)
        return run is not None and not run.started

    def _load(self, task_id: UUID, position: int) -> TaskRun:
        return self._folded_run(task_id, self._store.task_events(task_id, position))

    def _folded_run(self, task_id: UUID, events: Sequence[TaskEvent]) -> TaskRun:
        if not events or not isinstance(events[0], TaskCreated):
            raise LogCorrupt(f"the history of task {task_id} does not begin with its creation")
        return fold_run(events, self.plan(events[0].template_id))

    def plan(self, template_id: UUID) -> Plan:
        """The plan of a template. Raises UnknownTemplate, InvalidTemplate."""
        plan = self._plans.get(template_id)
        if plan is None:
            plan = compile_plan(self._store.template(template_id), self._limited)
            self._plans[template_id] = plan
        return plan
