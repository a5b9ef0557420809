"""Answers operators' requests; pure, and part of `decide`.

A request is granted with the events that carry it out, or refused in a sentence that says what the
state of the task or step is and what could be asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from flowledger.engine import events as asked
from flowledger.engine.display_text import listed, nearest
from flowledger.engine.domain.machine.decision_builder import DecisionBuilder
from flowledger.engine.domain.machine.evolve import Step
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import (
    STEP_TRANSITIONS,
    TASK_TRANSITIONS,
    StepState,
    TaskState,
)
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import RequestGranted, RequestRefused, StepRequest
from flowledger.engine.events.step import (
    StepCancelled,
    StepCancelSignalled,
    StepCompletedManually,
    StepDequeued,
    StepReset,
    StepResolvedManually,
    StepSkipped,
)
from flowledger.engine.events.task import (
    TaskCancelled,
    TaskFailed,
    TaskPaused,
    TaskReopened,
    TaskResolvedManually,
    TaskResumed,
)

Refusal = str | None
DONE_TO: Mapping[type[StepEvent], str] = MappingProxyType(
    {
        StepCancelled: "cancelled",
        StepReset: "reset",
        StepResolvedManually: "resolved",
        StepCompletedManually: "completed by hand",
        StepSkipped: "skipped",
    }
)
"""What an operator asks for, in words."""

SETTLE = frozenset({StepResolvedManually, StepCompletedManually, StepSkipped})

TO_RESET = frozenset({StepState.ERROR, StepState.CANCELLED})
TO_REOPEN = frozenset({TaskState.BLOCKED, TaskState.ERROR})


def answer_request(build: DecisionBuilder, request: asked.TaskRequest) -> None:
    """Grant the request, or refuse it."""
    build.request = request
    if isinstance(request, StepRequest):
        refusal = _about_step(build, request)
    else:
        refusal = ABOUT_TASKS[type(request)](build, request)
    if refusal is None:
        build.reply(RequestGranted, request, message=_left_to_wait_for(build.run, request))
    else:
        build.reply(RequestRefused, request, message=refusal)
    build.request = None


def _left_to_wait_for(run: TaskRun, request: asked.TaskRequest) -> str | None:
    """What follows a step that was settled early waits for what the step itself depends on."""
    if not isinstance(request, StepRequest) or ABOUT_STEPS[type(request)] not in SETTLE:
        return None
    number = run.plan.numbers[request.step]
    if not (run.unended[number] and run.plan.children[number]):
        return None
    before = run.unended_before(number)
    names = listed([run.plan.steps[n].name for n in before])
    have = "has" if len(before) == 1 else "have"
    return f"what depends on {request.step} waits until {names} {have} ended"


def stop_steps(build: DecisionBuilder, reason: str | None = None) -> None:
    """Take every step out of the queue; tell those that run."""
    run = build.run
    for number in sorted(run.causes):
        step = run.steps[number]
        if step.state is not StepState.IN_PROGRESS:
            build.step(StepCancelled, number, reason=reason)
        elif not step.cancelling:
            build.step(StepCancelSignalled, number, reason=reason)
    for number in tuple(run.waiting):
        run.release(number)


def _about_task(kind: type[TaskEvent]) -> Callable[[DecisionBuilder, asked.TaskRequest], Refusal]:
    """End the task whatever its steps do."""

    def grant(build: DecisionBuilder, request: asked.TaskRequest) -> Refusal:
        if (build.run.task.state, kind) not in TASK_TRANSITIONS:
            return _ended(build)
        build.task(kind, reason=request.reason)
        stop_steps(build, request.reason)
        return None

    return grant


def _pause(build: DecisionBuilder, request: asked.TaskRequest) -> Refusal:
    run = build.run
    if run.ended:
        return _ended(build)
    if run.task.paused:
        return "the task is paused already"
    build.task(TaskPaused, reason=request.reason)
    for number in sorted(run.causes):
        if run.steps[number].state is StepState.ENQUEUED:
            build.step(StepDequeued, number)
    return None


def _resume(build: DecisionBuilder, request: asked.TaskRequest) -> Refusal:
    if build.run.ended:
        return _ended(build)
    if not build.run.task.paused:
        return "the task is not paused"
    build.task(TaskResumed, reason=request.reason)
    build.resumed = True
    return None


def _reset(build: DecisionBuilder, request: asked.TaskRequest) -> Refusal:
    run = build.run
    if run.task.state not in TO_REOPEN:
        return _not_now(build, "only a task that is blocked or in error can be reset")
    refusal = _still_runs(build)
    if refusal is not None:
        return refusal
    for number, step in enumerate(run.steps):
        if step.state in TO_RESET:
            build.step(StepReset, number, reason=request.reason)
    build.task(TaskReopened, reason=request.reason)
    return None


def _fail(build: DecisionBuilder, request: asked.TaskRequest) -> Refusal:
    if build.run.task.state is not TaskState.BLOCKED:
        return _not_now(build, "only a task that is blocked can be given up")
    build.task(TaskFailed, failed_steps=build.run.failed_steps(), reason=request.reason)
    return None


ABOUT_TASKS: Mapping[
    type[asked.TaskRequest], Callable[[DecisionBuilder, asked.TaskRequest], Refusal]
] = MappingProxyType(
    {
        asked.TaskCancelRequested: _about_task(TaskCancelled),
        asked.TaskPauseRequested: _pause,
        asked.TaskResumeRequested: _resume,
        asked.TaskResolveRequested: _about_task(TaskResolvedManually),
        asked.TaskResetRequested: _reset,
        asked.TaskFailRequested: _fail,
    }
)

ABOUT_STEPS: Mapping[type[StepRequest], type[StepEvent]] = MappingProxyType(
    {
        asked.StepCancelRequested: StepCancelled,
        asked.StepResetRequested: StepReset,
        asked.StepResolveRequested: StepResolvedManually,
        asked.StepCompleteRequested: StepCompletedManually,
        asked.StepSkipRequested: StepSkipped,
    }
)


def _about_step(build: DecisionBuilder, request: StepRequest) -> Refusal:
    run = build.run
    if request.step not in run.plan.numbers:
        names = run.plan.numbers.keys()
        hint = nearest(request.step, names) or f"; it has {listed(names)}"
        return f"the task has no step {request.step!r}{hint}"
    if run.ended:
        refusal = _still_runs(build) if _reopens(run, request) else _ended(build)
        if refusal is not None:
            return refusal
    number = run.plan.numbers[request.step]
    refusal = _end_step(build, number, request)
    if refusal is None:
        _reopen(build, request.reason)
    return refusal


def _end_step(build: DecisionBuilder, number: int, request: StepRequest) -> Refusal:
    step = build.run.steps[number]
    kind = ABOUT_STEPS[type(request)]
    if step.state is StepState.IN_PROGRESS and kind is StepCancelled and not step.cancelling:
        build.step(StepCancelSignalled, number, reason=request.reason)
        return None
    if (step.state, kind) not in STEP_TRANSITIONS:
        return _not_in(step, kind, request.step)
    data: dict[str, Any] = {"reason": request.reason}
    if isinstance(request, asked.StepCompleteRequested):
        data["result"] = request.result
    build.step(kind, number, **data)
    return None


def _reopens(run: TaskRun, request: StepRequest) -> bool:
    """To cancel a step of a task that has ended would open it again for nothing."""
    return run.task.state in TO_REOPEN and not isinstance(request, asked.StepCancelRequested)


def _still_runs(build: DecisionBuilder) -> Refusal:
    """What runs on after the task's deadline was told to stop, and would call the task off."""
    run = build.run
    if not (run.ended and run.busy):
        return None
    running = listed([run.plan.steps[number].name for number in run.causes])
    return _not_now(build, f"it can be opened again when what still runs has stopped: {running}")


def _reopen(build: DecisionBuilder, reason: str) -> None:
    """A task that could not go on, and now can."""
    run = build.run
    can_go_on = run.ready or run.active or not run.errors
    if run.task.state in TO_REOPEN and can_go_on:
        build.task(TaskReopened, reason=reason)


def _not_in(step: Step, kind: type[StepEvent], name: str) -> str:
    if step.cancelling and step.state is StepState.IN_PROGRESS:
        return f"step {name!r} is in_progress, and was told to stop already"
    *others, last = sorted(source for source, event in STEP_TRANSITIONS if event is kind)
    allowed = f"{', '.join(others)} or {last}"
    return f"step {name!r} is {step.state}: only a step that is {allowed} can be {DONE_TO[kind]}"


def _not_now(build: DecisionBuilder, rule: str) -> str:
    return f"the task is {build.run.task.state}: {rule}"


def _ended(build: DecisionBuilder) -> str:
    return f"the task has ended: it is {build.run.task.state}"
