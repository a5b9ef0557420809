"""What an application can ask of one task."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event as ThreadEvent
from typing import Any
from uuid import UUID

from flowledger.engine.domain.events import StepCompleted, StepErrored
from flowledger.engine.domain.states import TASK_ENDS, StepState, TaskState
from flowledger.engine.domain.template import Template
from flowledger.engine.errors import EngineClosed, TaskFailed, TaskUnfinished, UnknownTask
from flowledger.engine.ports import Progress, Recorded, StepRow, TaskRow, Tasks
from flowledger.engine.runtime.endings import Endings

TemplateOf = Callable[[UUID], Template]


@dataclass(frozen=True, slots=True)
class StepStatus:
    """Where a step of a task stands; `attempts` counts its starts."""

    state: StepState
    attempts: int


class TaskHandle:
    """A task, by its id. Every question is answered by the database, at the time of asking."""

    def __init__(
        self, task_id: UUID, tasks: Tasks, endings: Endings, template_of: TemplateOf
    ) -> None:
        self.id = task_id
        self._tasks = tasks
        self._endings = endings
        self._template_of = template_of

    def __repr__(self) -> str:
        return f"TaskHandle({self.id})"

    @property
    def state(self) -> TaskState:
        """Where the task stands. Raises UnknownTask."""
        row = self._row()
        return TaskState(row.state) if row else TaskState.SUBMITTED

    def wait(self, timeout: float | None = None) -> TaskState:
        """Wait until the task has ended, at most `timeout` seconds.

        Returns its state. Raises TaskUnfinished when the time is up, EngineClosed when another
        thread closes the engine, UnknownTask.
        """
        state = self.state
        if state in TASK_ENDS:
            return state
        ended = ThreadEvent()
        with self.told(ended.set):
            if not ended.wait(timeout):
                raise TaskUnfinished(self.id, timeout or 0.0)
        return self.end()

    def end(self) -> TaskState:
        """The state that the task has ended in, once `told` has called. Raises EngineClosed."""
        if self._endings.stopped:
            raise EngineClosed(self.id)
        return self.state

    @contextmanager
    def told(self, ended: Callable[[], object]) -> Generator[None]:
        """Within the block, call `ended` from another thread once the task or the engine ended."""
        self._endings.tell(self.id, ended)
        try:
            yield
        finally:
            self._endings.forget(self.id, ended)

    def result(self, timeout: float | None = None) -> Mapping[str, Any]:
        """The result of every step, by the step's name, once the task is complete.

        Waits for that, at most `timeout` seconds. Raises TaskFailed where the task ended in
        error, TaskUnfinished when the time is up, UnknownTask.
        """
        state = self.wait(timeout)
        history = self.history()
        if state is not TaskState.COMPLETE:
            raise TaskFailed(self.id, state, errors_in(history))
        return results_in(history)

    def history(self) -> Sequence[Recorded]:
        """Every event of the task and its steps, in the order of the log. Raises UnknownTask."""
        history = self._tasks.history(self.id)
        if not history:
            self._row()
        return history

    def steps(self) -> Mapping[str, StepStatus]:
        """Every step of the task, in the template's order. Empty before the task is taken on."""
        row = self._row()
        if row is None:
            return {}
        rows = {step.step: step for step in self._tasks.steps(self.id)}
        return {
            step.name: _status(rows.get(step.name))
            for step in self._template_of(row.template_id).steps
        }

    def progress(self, names: int = 0) -> Progress:
        """Steps by state, and the names of at most so many that run; cheap however large the task.

        Steps that are pending are not counted: they have no rows.
        """
        return self._tasks.progress(self.id, names)

    def _row(self) -> TaskRow | None:
        row = self._tasks.task(self.id)
        if row is None and not self._tasks.known(self.id):
            raise UnknownTask(self.id)
        return row


def _status(row: StepRow | None) -> StepStatus:
    return (
        StepStatus(StepState(row.state), row.attempt) if row else StepStatus(StepState.PENDING, 0)
    )


def results_in(history: Sequence[Recorded]) -> dict[str, Any]:
    """The results of the completed steps."""
    events = (recorded.event for recorded in history)
    return {event.step: event.result for event in events if isinstance(event, StepCompleted)}


def errors_in(history: Sequence[Recorded]) -> dict[str, str]:
    """Why the steps that ended in error did so."""
    events = (recorded.event for recorded in history)
    return {event.step: event.message for event in events if isinstance(event, StepErrored)}
