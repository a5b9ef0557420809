"""Summarises a task from its counts: execution status, recommended action, health, percentage.

`flowledger.execution_status_from_counts` in SQL computes the same from the same counts.

The words answer: is anything to be done, what should be done about it, and is anything wrong? A
step that ended in error is wrong however many attempts its policy had left, a cancelled step keeps
nobody waiting, and what was ended by an operator is settled. The three vocabularies share no word,
so that none can be taken for another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import DONE, TASK_ENDS, StepState, TaskState


class ExecutionStatus(StrEnum):
    """What there is to do."""

    HAS_READY_STEPS = "has_ready_steps"
    PROCESSING = "processing"
    BLOCKED_BY_FAILURES = "blocked_by_failures"
    ALL_COMPLETE = "all_complete"
    WAITING_FOR_DEPENDENCIES = "waiting_for_dependencies"


class RecommendedAction(StrEnum):
    """What should be done about it."""

    EXECUTE_READY_STEPS = "execute_ready_steps"
    WAIT_FOR_COMPLETION = "wait_for_completion"
    HANDLE_FAILURES = "handle_failures"
    FINALIZE_TASK = "finalize_task"
    WAIT_FOR_DEPENDENCIES = "wait_for_dependencies"
    WAIT_FOR_START = "wait_for_start"
    RESUME_TASK = "resume_task"


class HealthStatus(StrEnum):
    """Whether anything is wrong."""

    HEALTHY = "healthy"
    RECOVERING = "recovering"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


ACTIONS: Mapping[ExecutionStatus, RecommendedAction] = MappingProxyType(
    {
        ExecutionStatus.HAS_READY_STEPS: RecommendedAction.EXECUTE_READY_STEPS,
        ExecutionStatus.PROCESSING: RecommendedAction.WAIT_FOR_COMPLETION,
        ExecutionStatus.BLOCKED_BY_FAILURES: RecommendedAction.HANDLE_FAILURES,
        ExecutionStatus.ALL_COMPLETE: RecommendedAction.FINALIZE_TASK,
        ExecutionStatus.WAITING_FOR_DEPENDENCIES: RecommendedAction.WAIT_FOR_DEPENDENCIES,
    }
)

KEPT_BACK = frozenset(
    {
        ExecutionStatus.HAS_READY_STEPS,
        ExecutionStatus.PROCESSING,
        ExecutionStatus.WAITING_FOR_DEPENDENCIES,
    }
)
"""What a pause or a delayed start keeps from going on; of the others it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many steps of a task are in which state; states without a step may be left out.

    `ready` are pending steps that nothing keeps from being queued; `waiting` are pending steps
    whose dependencies are satisfied, but which a limit, a pause or a delayed start keeps back. Both
    are counted among the pending. `paused`: an operator paused the task; `delayed`: it is to start
    later.
    """

    task: TaskState
    steps: Mapping[StepState, int] = field(default_factory=dict[StepState, int])
    ready: int = 0
    waiting: int = 0
    paused: bool = False
    delayed: bool = False

    @property
    def total(self) -> int:
        """All steps; none are known before a coordinator has met the task."""
        return self.of(*StepState)

    def of(self, *states: StepState) -> int:
        """The steps in these states."""
        return sum(self.steps.get(state, 0) for state in states)


@dataclass(frozen=True, slots=True)
class Summary:
    """The words, and how much of the task is done, from 0 to 100 in hundredths."""

    execution_status: ExecutionStatus
    recommended_action: RecommendedAction
    health_status: HealthStatus
    completion_percentage: float


def summary_of(counts: Counts) -> Summary:
    """The derived words of a task."""
    execution = _execution_status(counts)
    health, percentage = _health_status(counts), _completion_percentage(counts)
    return Summary(execution, _recommended_action(counts, execution), health, percentage)


def counts_of(run: TaskRun) -> Counts:
    """The counts of a task as the coordinator has it in memory."""
    kept_back = run.task.paused or not run.started
    return Counts(
        task=run.task.state,
        steps=Counter(step.state for step in run.steps),
        ready=0 if kept_back else len(run.ready),
        waiting=len(run.ready) + _held(run) if kept_back else _held(run),
        paused=run.task.paused,
        delayed=run.timer is not None and run.timer[0] == "start",
    )


def _held(run: TaskRun) -> int:
    """A retry that is held is no pending step; it is counted by its own state."""
    return sum(run.steps[number].state is StepState.PENDING for number in run.waiting)


def _is_settled(counts: Counts) -> bool:
    return counts.task in TASK_ENDS and counts.task is not TaskState.ERROR


STATUSES: tuple[tuple[ExecutionStatus, Callable[[Counts], object]], ...] = (
    (ExecutionStatus.ALL_COMPLETE, _is_settled),
    (ExecutionStatus.BLOCKED_BY_FAILURES, lambda c: c.task is TaskState.ERROR),
    (ExecutionStatus.HAS_READY_STEPS, lambda c: c.ready or c.of(StepState.ENQUEUED)),
    (ExecutionStatus.PROCESSING, lambda c: c.of(StepState.IN_PROGRESS)),
    (
        ExecutionStatus.WAITING_FOR_DEPENDENCIES,
        lambda c: c.waiting or c.of(StepState.WAITING_FOR_RETRY),
    ),
    (ExecutionStatus.BLOCKED_BY_FAILURES, lambda c: c.of(StepState.ERROR)),
    (ExecutionStatus.WAITING_FOR_DEPENDENCIES, lambda c: not c.total),
)
"""The first that holds says it; where none does, nothing is left to do."""


def _execution_status(counts: Counts) -> ExecutionStatus:
    found = (status for status, holds in STATUSES if holds(counts))
    return next(found, ExecutionStatus.ALL_COMPLETE)


def _recommended_action(counts: Counts, status: ExecutionStatus) -> RecommendedAction:
    """That of the status, unless nothing more of it comes before somebody, or a time, does."""
    if status in KEPT_BACK and counts.paused:
        return RecommendedAction.RESUME_TASK
    if status in KEPT_BACK and counts.delayed:
        return RecommendedAction.WAIT_FOR_START
    return ACTIONS[status]


def _health_status(counts: Counts) -> HealthStatus:
    if not counts.total:
        return HealthStatus.UNKNOWN
    if _is_settled(counts):
        return HealthStatus.HEALTHY
    if counts.task in {TaskState.ERROR, TaskState.BLOCKED} or counts.of(StepState.ERROR):
        return HealthStatus.BLOCKED
    if counts.of(StepState.WAITING_FOR_RETRY):
        return HealthStatus.RECOVERING
    return HealthStatus.HEALTHY


def _completion_percentage(counts: Counts) -> float:
    if counts.task is TaskState.COMPLETE:
        return 100.0
    done = counts.of(*DONE, StepState.SKIPPED)
    return done * 10_000 // counts.total / 100 if counts.total else 0.0
