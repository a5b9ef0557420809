"""Replays the log of a task event by event, and compares the rows with the states that result.

Rows at the coordinator's position are the fold of the facts up to it and of all decisions: a
decision is stored in one transaction with its rows, a fact waits to be read. So `visible_at` leaves
out the facts after the position before anything is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.events.base import Placed, StepEvent, TaskEvent
from flowledger.engine.events.registry import DECISIONS
from flowledger.engine.events.task import TaskCreated

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stood after one event: its stream's state, and how many steps were in which state."""

    position: int
    event: TaskEvent
    state: TaskState | StepState
    steps: Mapping[StepState, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a row does not say what the log says.

    `place` is where `row` stands, and `source` what says `log`: an event may be held against the
    rest of the log. `task_id` is None where it is no task's.
    """

    subject: str
    field: str
    log: Any
    row: Any
    place: str = "the row"
    source: str = "the log"
    task_id: UUID | None = None

    def __str__(self) -> str:
        return (
            f"{self.subject}: {self.field} is {self.row} in {self.place},"
            f" and {self.log} by {self.source}"
        )


class Replay:
    """Folds a history one event at a time; `run` is the task as far as it was folded."""

    def __init__(self, plan: Plan) -> None:
        self.run: TaskRun | None = None
        self._plan = plan
        self._counts = Counter({StepState.PENDING: len(plan.steps)})

    def frames(self, history: Iterable[Placed[TaskEvent]]) -> Iterator[Frame]:
        """A frame for each event, in their order.

        Raises IllegalTransition for an event that its state does not allow, LookupError for one
        that does not belong to the task: then `run` is what stood before it.
        """
        for position, event in history:
            state = self._apply(event)
            counts = {kind: self._counts[kind] for kind in StepState}
            yield Frame(position, event, state, counts)

    def _apply(self, event: TaskEvent) -> TaskState | StepState:
        if self.run is None:
            if not isinstance(event, TaskCreated):
                raise LookupError(f"a task begins with TaskCreated, not {type(event).__name__}")
            self.run = TaskRun(event, self._plan)
            return self.run.task.state
        if not isinstance(event, StepEvent):
            self.run.apply(event)
            return self.run.task.state
        if event.step not in self._plan.numbers:
            raise LookupError(f"the template has no step {event.step!r}")
        before = self.run.step(event.step).state
        self.run.apply(event)
        after = self.run.step(event.step).state
        self._counts[before] -= 1
        self._counts[after] += 1
        return after


def visible_at(history: Iterable[Placed[TaskEvent]], position: int) -> list[Placed[TaskEvent]]:
    """The events that the rows are made of when the coordinator stands at the position."""
    return [
        (place, event)
        for place, event in history
        if place <= position or isinstance(event, DECISIONS) or _appended_by_coordinator(event)
    ]


def _appended_by_coordinator(event: TaskEvent) -> bool:
    return isinstance(event, TaskCreated) and event.submission is not None


def differences(
    run: TaskRun | None, task: Row | None, steps: Mapping[str, Row]
) -> Sequence[Difference]:
    """Where the rows of a task and its steps differ from the fold; rows are named like columns.

    `run` is None where the coordinator has not met the task: then there are no rows.
    """
    expected = {} if run is None else step_rows(run)
    found = _compared("task", None if run is None else _task_row(run), task)
    for name in dict.fromkeys((*expected, *steps)):
        found += _compared(f"step {name!r}", expected.get(name), steps.get(name))
    return found


def _compared(subject: str, log: Row | None, row: Row | None) -> list[Difference]:
    if log is None or row is None:
        said, stored = (None if one is None else one["state"] for one in (log, row))
        return [] if log is row else [Difference(subject, "state", said, stored)]
    return [
        Difference(subject, field, value, row[field])
        for field, value in log.items()
        if row[field] != value
    ]


def _task_row(run: TaskRun) -> Row:
    template = run.plan.template
    return {
        "state": run.task.state.value,
        "stream_version": run.task.version,
        "template_id": run.plan.template_id,
        "namespace": template.namespace,
        "template": template.name,
        "version": template.version,
        "paused": run.task.paused,
        "priority": run.priority,
        "correlation_id": run.correlation_id,
        "created_at": run.created_at,
        "fairness_key": run.fairness,
        "ended": run.ended,
    }


def step_rows(run: TaskRun) -> dict[str, Row]:
    """The rows of steps by the fold. A step without events is pending and has no row."""
    return {
        template.name: {
            "state": step.state.value,
            "attempt": step.attempt,
            "stream_version": step.version,
            "due_at": _due_at(run, number),
        }
        for number, (template, step) in enumerate(zip(run.plan.steps, run.steps, strict=True))
        if step.version
    }


def _due_at(run: TaskRun, number: int) -> Any:
    timer = run.timers.get(number)
    return timer[1] if timer is not None and timer[0] == "retry" else None
