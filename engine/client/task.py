"""Handles of one task and of one step: state, history, results, requests."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Event as ThreadEvent
from time import monotonic
from typing import Any, Unpack
from uuid import UUID

from flowledger.engine.client.explain import load_explanation
from flowledger.engine.client.operator_requests import (
    NoteOptions,
    Operations,
    RequestOptions,
)
from flowledger.engine.client.replay import Replayed, replayed
from flowledger.engine.client.row_states import state_of_step, state_of_task
from flowledger.engine.client.step_results_and_errors import (
    cause_in,
    errors_in,
    failures_in,
    results_in,
    unreadable_of_step,
    unreadable_outcomes_in,
)
from flowledger.engine.client.stored_request import Request
from flowledger.engine.client.verification import Verification
from flowledger.engine.client.waiters import Waiters
from flowledger.engine.display_text import nearest
from flowledger.engine.domain.argument_checks import check_seconds
from flowledger.engine.domain.explain.reasons import Explanation
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.machine.transitions import TASK_ENDS, StepState, TaskState
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.domain.templates.validation_message import plain_text
from flowledger.engine.errors import (
    EngineClosed,
    LogCorrupt,
    TaskNotCompleted,
    TaskNotCreated,
    TaskUnfinished,
    UnknownStep,
    UnknownTask,
)
from flowledger.engine.events.base import Recorded
from flowledger.engine.events.notes import TaskAnnotated, TaskTagged, TaskUntagged
from flowledger.engine.events.requests import (
    StepCancelRequested,
    StepCompleteRequested,
    StepRequest,
    StepResetRequested,
    StepResolveRequested,
    StepSkipRequested,
    TaskCancelRequested,
    TaskFailRequested,
    TaskPauseRequested,
    TaskRequest,
    TaskResetRequested,
    TaskResolveRequested,
    TaskResumeRequested,
)
from flowledger.engine.ports.client import Progress, StepRow, TaskRow, Tasks
from flowledger.engine.ports.patience import answered_within
from flowledger.engine.ports.verification import Check

FAILURES = frozenset({StepState.ERROR, StepState.WAITING_FOR_RETRY})
OUTCOMES = FAILURES | {StepState.COMPLETE}
TASKS_DONE = frozenset({TaskState.COMPLETE, TaskState.RESOLVED_MANUALLY})
TemplateOf = Callable[[UUID], Template]


@dataclass(frozen=True, slots=True)
class StepStatus:
    """Where a step of a task stands; `attempts` counts its starts.

    `result` is what it returned, or was settled with, where it is complete; None is a result too.
    `error` says what its last attempt failed of, where it is in error or waits for a retry.
    Where an event of a step that ended an attempt cannot be read, `error` says that instead.
    """

    state: StepState
    attempts: int
    result: Any = None
    error: str | None = None


class TaskHandle:
    """A task, by its id. Every question is answered by the database, at the time of asking."""

    def __init__(  # noqa: PLR0913 - its parts, put together by the engine
        self,
        task_id: UUID,
        *,
        tasks: Tasks,
        endings: Waiters,
        template_of: TemplateOf,
        operations: Operations,
        rules: AdmissionRules,
        checks: Sequence[Check] = (),
    ) -> None:
        self.id = task_id
        self._tasks = tasks
        self._endings = endings
        self._template_of = template_of
        self._operations = operations
        self._rules = rules
        self._checks = checks

    def __repr__(self) -> str:
        return f"TaskHandle({self.id})"

    @property
    def state(self) -> TaskState:
        """Where the task stands. Raises UnknownTask, and LogCorrupt where its row says no state."""
        row = self._row()
        return state_of_task(row) if row else TaskState.SUBMITTED

    @property
    def paused(self) -> bool:
        """Whether nothing of the task starts until it is resumed. Raises UnknownTask."""
        row = self._row()
        return row is not None and row.paused

    def wait(self, timeout: float | None = None) -> TaskState:
        """Wait until the task has ended, at most `timeout` seconds.

        A task that is blocked has not: it waits for an operator.

        Returns its state. Raises TaskUnfinished when the time is up, EngineClosed when another
        thread closes the engine, UnknownTask, InvalidRequest for a timeout below 0; DatabaseSilent,
        a TimeoutError too, where the database does not answer for so long. What is asked when the
        time is nearly up is waited for for 2 seconds more.
        """
        check_seconds("timeout", timeout)
        until = None if timeout is None else monotonic() + timeout
        with answered_within(timeout):
            state = self.state
            if state in TASK_ENDS:
                return state
            ended = ThreadEvent()
            with self.on_end(ended.set):
                if not ended.wait(None if until is None else max(0.0, until - monotonic())):
                    raise TaskUnfinished(self.id, timeout or 0.0)
            return self.end_state()

    def end_state(self) -> TaskState:
        """The state that the task has ended in, once `on_end` has called. Raises EngineClosed."""
        if self._endings.stopped:
            raise EngineClosed(self.id)
        return self.state

    @contextmanager
    def on_end(self, ended: Callable[[], object]) -> Generator[None]:
        """Within the block, call `ended` from another thread once the task or the engine ended."""
        self._endings.warn_handlers(self.id)
        self._endings.subscribe(self._tasks.ended, self.id, ended)
        try:
            yield
        finally:
            self._endings.unsubscribe(self._tasks.ended, self.id, ended)

    @contextmanager
    def taken_on(self, told: Callable[[], object]) -> Generator[None]:
        """Within the block, call `on_end` from another thread once a coordinator knows the task."""
        self._endings.subscribe(self._tasks.created, self.id, told)
        try:
            yield
        finally:
            self._endings.unsubscribe(self._tasks.created, self.id, told)

    def result(self, timeout: float | None = None) -> Mapping[str, Any]:
        """The result of every step that has one, by the step's name, once the task is done.

        A task is done that is complete, or that an operator resolved. Waits for that, at most
        `timeout` seconds. Raises TaskNotCompleted where the task ended in error, was cancelled or
        ran past its deadline, TaskUnfinished when the time is up, UnknownTask, and LogCorrupt where
        an event that may hold a result cannot be read; `steps` has the results of the others;
        DatabaseSilent as `wait` does.
        """
        check_seconds("timeout", timeout)
        with answered_within(timeout):
            state = self.wait(timeout)
            return results_of(self.id, state, self.history())

    def explain(self, step: str | None = None, at: datetime | int | None = None) -> Explanation:
        """Why the task has not ended, or why a step of it does not run: the reasons, ordered.

        The first is the most decisive. With `at`, a time or a position of the log, as of then and
        from the log alone. Raises UnknownTask, UnknownStep, NothingRecorded for an `at` before the
        task, InvalidRequest for a time without a zone and for an `at` that is yet to come,
        LogCorrupt, DatabaseUnavailable.
        """
        return load_explanation(self._tasks, self._rules, self.id, step, at)

    def verify(self) -> Verification:
        """Hold all that was made from the task's log against it; as `Engine.verify`."""
        return Verification(self._checks, self.id)

    def step(self, name: str) -> StepHandle:
        """A handle on a step, which need not exist."""
        return StepHandle(self, name, self._operations)

    def cancel(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the task and all its steps end.

        Steps that run are told to stop. This and the other requests raise RequestDenied where
        the task is not in a state for it, RequestUnanswered when the time is up, UnknownTask,
        TaskNotCreated, InvalidRequest, DatabaseUnavailable.
        """
        return self._ask(TaskCancelRequested, asking)

    def pause(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that nothing of the task starts until it is resumed; what runs goes on."""
        return self._ask(TaskPauseRequested, asking)

    def resume(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that a paused task goes on."""
        return self._ask(TaskResumeRequested, asking)

    def resolve(self, **asking: Unpack[RequestOptions]) -> Request:
        """Say that the task was settled elsewhere; nothing of it is done any more."""
        return self._ask(TaskResolveRequested, asking)

    def reset(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the steps of a failed or blocked task that did not succeed are tried anew."""
        return self._ask(TaskResetRequested, asking)

    def fail(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that a blocked task ends in error."""
        return self._ask(TaskFailRequested, asking)

    def annotate(self, kind: str, value: object, **noting: Unpack[NoteOptions]) -> None:
        """Attach a JSON value to the task; it stands in the history, and changes nothing.

        This and the tags raise UnknownTask, TaskNotCreated, InvalidRequest, DatabaseUnavailable.
        """
        self._operations.note(TaskAnnotated, self.id, kind=kind, value=value, **_noted(noting))

    def tag(self, *tags: str, **noting: Unpack[NoteOptions]) -> None:
        """Give the task these tags, beside those that it has."""
        self._operations.note(TaskTagged, self.id, tags=tags, **_noted(noting))

    def untag(self, *tags: str, **noting: Unpack[NoteOptions]) -> None:
        """Take these tags from the task."""
        self._operations.note(TaskUntagged, self.id, tags=tags, **_noted(noting))

    def history(self) -> Sequence[Recorded]:
        """Every event of the task and its steps, in the order of the log. Raises UnknownTask."""
        history = self._tasks.history(self.id)
        if not history:
            self._row()
        return history

    def replay(self) -> Replayed:
        """The task folded from its log, event by event. Raises UnknownTask, LogCorrupt."""
        return replayed(self._tasks, self.id)

    def steps(self) -> Mapping[str, StepStatus]:
        """Every step of the task, in the template's order. Empty before the task is taken on."""
        row = self._row()
        if row is None:
            return {}
        rows = {step.step: step for step in self._tasks.steps(self.id)}
        history = self._tasks.history(self.id) if OUTCOMES.intersection(_states(rows)) else ()
        results, failures = results_in(history), failures_in(history)
        found = {
            step.name: _status(step.name, rows.get(step.name), results, failures)
            for step in self._template_of(row.template_id).steps
        }
        if unreadable_outcomes_in(history):
            return {name: self._marked(name, one, history) for name, one in found.items()}
        return found

    def _marked(self, name: str, status: StepStatus, history: Sequence[Recorded]) -> StepStatus:
        """The status with what of the step cannot be read, where it is about an outcome."""
        unreadable = unreadable_of_step(history, self.id, name)
        if not unreadable or status.state not in OUTCOMES:
            return status
        return replace(status, error="; ".join(unreadable))

    def progress(self, names: int = 0) -> Progress:
        """Steps by state, and the names of at most so many that run; cheap however large the task.

        Steps that are pending are not counted: they have no rows.
        """
        return self._tasks.progress(self.id, names)

    @property
    def answer_seconds(self) -> float:
        """How long requests wait for their answer where the caller does not say."""
        return self._operations.wait_seconds

    def _ask(self, kind: type[TaskRequest], asking: RequestOptions) -> Request:
        (request,) = self._operations.ask(kind, [self.id], **asking)
        return granted(request, asking)

    def _row(self) -> TaskRow | None:
        row = self._tasks.task(self.id)
        if row is None and not self._tasks.known(self.id):
            raise UnknownTask(self.id)
        return row


class StepHandle:
    """A step of a task, by its name. Its requests raise what those of a task do."""

    def __init__(self, task: TaskHandle, name: str, operations: Operations) -> None:
        self.task = task
        self.name = name
        self._operations = operations

    def __repr__(self) -> str:
        return f"StepHandle({self.name!r}, task {self.task.id})"

    @property
    def status(self) -> StepStatus:
        """Where the step stands. Raises UnknownStep, UnknownTask, TaskNotCreated."""
        steps = self.task.steps()
        if not steps:
            raise TaskNotCreated(self.task.id)
        name = plain_text(self.name)
        if name not in steps:
            raise UnknownStep(self.task.id, name, nearest(name, steps))
        return steps[name]

    def explain(self, at: datetime | int | None = None) -> Explanation:
        """Why the step does not run, or how it ended; as `TaskHandle.explain`."""
        return self.task.explain(self.name, at)

    def cancel(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the step is not done, nor what depends on it; told to stop where it runs."""
        return self._ask(StepCancelRequested, asking)

    def reset(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the step is tried anew, with all its attempts and a new idempotency key."""
        return self._ask(StepResetRequested, asking)

    def resolve(self, **asking: Unpack[RequestOptions]) -> Request:
        """Say that the step was settled elsewhere: what depends on it goes on, without a result."""
        return self._ask(StepResolveRequested, asking)

    def complete(self, result: object = None, **asking: Unpack[RequestOptions]) -> Request:
        """Say that the step was done elsewhere, with this result, a JSON value."""
        return self._ask(StepCompleteRequested, asking, result=result)

    def skip(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the task does without the step; what depends on it goes by the template."""
        return self._ask(StepSkipRequested, asking)

    def _ask(self, kind: type[StepRequest], asking: RequestOptions, **data: object) -> Request:
        tasks = [self.task.id]
        (request,) = self._operations.ask(kind, tasks, step=self.name, **data, **asking)
        return granted(request, asking)


def results_of(task: UUID, state: TaskState, history: Sequence[Recorded]) -> Mapping[str, Any]:
    """What `result` returns or raises of a task that has ended so."""
    unreadable = unreadable_outcomes_in(history)
    if state not in TASKS_DONE:
        why = "; ".join(filter(None, (cause_in(history), *unreadable))) or None
        raise TaskNotCompleted(task, state, errors_in(history), why)
    if unreadable:
        raise LogCorrupt(f"task {task}: {'; '.join(unreadable)}")
    return results_in(history)


def _noted(noting: NoteOptions) -> dict[str, Any]:
    return {"actor": None, "reason": None, "key": None, **noting}


def granted(request: Request, asking: RequestOptions) -> Request:
    """The request, once it was waited for. Raises RequestDenied."""
    if asking.get("timeout") != 0:
        request.check_answer(0.0)
    return request


def _states(rows: Mapping[str, StepRow]) -> set[StepState]:
    return {state_of_step(row) for row in rows.values()}


def _status(
    name: str, row: StepRow | None, results: Mapping[str, Any], failures: Mapping[str, str]
) -> StepStatus:
    if row is None:
        return StepStatus(StepState.PENDING, 0)
    state = state_of_step(row)
    return StepStatus(
        state,
        row.attempt,
        results.get(name) if state is StepState.COMPLETE else None,
        failures.get(name) if state in FAILURES else None,
    )
