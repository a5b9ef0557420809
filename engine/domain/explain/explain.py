"""Explains why a step does not run, and why a task has not ended. Pure: context in, reasons out.

A step cannot run while any reason holds. Reasons are ordered: removing a later one has no effect
while an earlier one remains. Each is computed by the code that decides it: readiness by the fold of
the task, limits by admission control, timers by the run. A task's reasons are those of its
unfinished steps, grouped, and those of the task as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from flowledger.engine.display_text import some_of
from flowledger.engine.domain.explain.context import ExplainContext, cause
from flowledger.engine.domain.explain.live_state import LiveState
from flowledger.engine.domain.explain.reasons import Explanation, Reason, ReasonKind, in_order
from flowledger.engine.domain.explain.step_reasons import step_reasons
from flowledger.engine.domain.explain.suggested_commands import with_commands, with_root
from flowledger.engine.domain.explain.task_reasons import (
    concerns,
    obstacle,
    parked_reasons,
    projections_behind,
    task_reasons,
)
from flowledger.engine.domain.machine.transitions import STEP_ENDS, StepState, TaskState

GROUPED: Mapping[ReasonKind, str] = MappingProxyType(
    {
        ReasonKind.DEPENDENCY_FAILED: "do not start, since {about} did not succeed",
        ReasonKind.COORDINATOR_BEHIND: "wait for a coordinator's decision",
        ReasonKind.ROW_MISSING: "are ready, and lack the rows that say so",
        ReasonKind.NO_WORKER: "are queued; no worker of {about} takes them",
        ReasonKind.LEASE_LOST: "were lost with their worker; a coordinator takes them back",
        ReasonKind.CIRCUIT_OPEN: "are held back, since the circuit of {about} is open",
        ReasonKind.CONCURRENCY: "are held back, since all slots of {about} are taken",
        ReasonKind.RATE_LIMIT: "are held back, since the rate of {about} is used up",
        ReasonKind.UNRECORDED: "are ready; whether limits held them back is not in the log",
        ReasonKind.WORKER_BUSY: "are queued; all workers of {about} are busy",
        ReasonKind.RETRY: "wait for a retry",
        ReasonKind.QUEUED: "are queued for the workers of {about}",
        ReasonKind.RUNNING: "run",
    }
)
"""What is said of several steps at once that have the same reason."""

APART = (
    ReasonKind.DEPENDENCY_FAILED,
    ReasonKind.CIRCUIT_OPEN,
    ReasonKind.CONCURRENCY,
    ReasonKind.RATE_LIMIT,
)
"""Kinds whose reasons are put together only where they are about the same."""


ERRORS_TOLD = 3
"""Of so many steps the errors are told where a task failed."""


def explain_step(scene: ExplainContext, name: str) -> Explanation:
    """Why the step does not run, or how it ended. Raises KeyError where there is no such step."""
    number = scene.run.plan.numbers[name]
    obstacles = scene.obstacles()
    state = scene.run.steps[number].state
    own = step_reasons(scene, number, obstacles)
    own = _with_earliest(scene, own, obstacles)
    own = [
        with_root(scene, one, obstacles) if one.kind is ReasonKind.DEPENDENCY else one
        for one in own
    ]
    if state not in STEP_ENDS and not scene.run.ended:
        whole = (reason for reason in task_reasons(scene) if concerns(scene, reason, number))
        own += [replace(reason, steps=(name,)) for reason in whole]
    if name in scene.index.steps:
        own += projections_behind(scene, scene.index.steps[name][0])
    return _explanation(scene, name, state, own)


def explain_task(scene: ExplainContext) -> Explanation:
    """Why the task has not ended, or how it did."""
    reasons = [_with_errors(scene, reason) for reason in task_reasons(scene)]
    if not scene.run.ended:
        reasons += _of_steps(scene)
    return _explanation(scene, None, scene.run.task.state, reasons)


def _starts(beside: LiveState) -> str | None:
    """The command after which somebody leads the shard; None where somebody does."""
    stopped = obstacle(beside.shard)
    if stopped is not None:
        return stopped.command
    return None if beside.shard.leader is not None else "flowledger coordinator"


def not_taken_on(task_id: UUID, step: str | None, beside: LiveState) -> Explanation:
    """Why nothing happens with a task that an application left, and no coordinator has met."""
    parked = list(parked_reasons(beside, beside.now))
    leads = "no coordinator runs" if beside.shard.leader is None else "a coordinator runs"
    stopped = obstacle(beside.shard)
    reason = Reason(
        kind=ReasonKind.SUBMITTED,
        sentence=f"submitted; {stopped.sentence}"
        if stopped is not None
        else "submitted; a coordinator must run to take it on",
        earliest=beside.now if beside.shard.reads else None,
        details={"shard": beside.shard.shard, "position": beside.shard.position, "leads": leads},
        steps=() if step is None else (step,),
        command=_starts(beside),
    )
    return Explanation(
        task_id=task_id,
        step=step,
        state=TaskState.SUBMITTED if step is None else StepState.PENDING,
        now=beside.now,
        position=0,
        log_only=False,
        reasons=tuple(parked) or (reason,),
    )


def grouped(reasons: Iterable[Reason]) -> list[Reason]:
    """One reason for all steps that have the same, as groups of steps that wait for one thing."""
    groups: dict[tuple[ReasonKind, str], list[Reason]] = {}
    for reason in reasons:
        about = reason.about if reason.kind in APART else ""
        groups.setdefault((reason.kind, about), []).append(reason)
    return [_group(found) for found in groups.values()]


def _explanation(
    scene: ExplainContext, step: str | None, state: TaskState | StepState, reasons: list[Reason]
) -> Explanation:
    return Explanation(
        task_id=scene.run.task_id,
        step=step,
        state=state,
        now=scene.now,
        position=scene.index.last,
        log_only=scene.live is None,
        reasons=in_order(with_commands(scene, reasons)),
    )


def _with_errors(scene: ExplainContext, reason: Reason) -> Reason:
    """What became of the task says of the steps that failed what went wrong in them."""
    failed = scene.run.failed_steps()
    if reason.kind not in (ReasonKind.ENDED, ReasonKind.BLOCKED) or not failed:
        return reason
    told = {
        name: step_reasons(scene, scene.run.plan.numbers[name], {})[0]
        for name in failed[:ERRORS_TOLD]
    }
    sentences = [f"{name}: {one.sentence}" for name, one in told.items()]
    if len(failed) > ERRORS_TOLD:
        sentences.append(f"and {len(failed) - ERRORS_TOLD} more")
    errors = {name: one.details.get("message") for name, one in told.items()}
    return replace(
        reason,
        sentence="; ".join([reason.sentence, *sentences]),
        details={**reason.details, "errors": errors},
    )


def _of_steps(scene: ExplainContext) -> list[Reason]:
    """The reasons of the unfinished steps; those that only wait for others are one."""
    found: list[Reason] = []
    waiting: list[str] = []
    first: dict[str, datetime | None] = {}
    obstacles = scene.obstacles()
    for number, step in enumerate(scene.run.steps):
        if step.state in STEP_ENDS:
            continue
        name = scene.name(number)
        if number not in obstacles and scene.waits_for(number):
            waiting.append(name)
        else:
            own = step_reasons(scene, number, obstacles)
            found += own
            first[name] = _latest(scene, [reason.earliest for reason in own])
    return [*grouped(found), *([_waiting(scene, waiting, first)] if waiting else [])]


def _waiting(
    scene: ExplainContext, waiting: Sequence[str], first: Mapping[str, datetime | None]
) -> Reason:
    """They wait for the first ones, of which is known when each can change at the earliest."""
    names = list(first)
    placed = [scene.index.steps[name] for name in names if name in scene.index.steps]
    wait = "waits" if len(waiting) == 1 else "wait"
    return Reason(
        kind=ReasonKind.DEPENDENCY,
        sentence=f"{some_of(waiting)} {wait} for {some_of(names)}",
        about=names[0] if len(names) == 1 else "",
        cause=cause(max(placed, default=None, key=lambda one: one[0])),
        earliest=min((at for at in first.values() if at is not None), default=None),
        details={"dependencies": [*names]},
        steps=tuple(waiting),
    )


def _group(reasons: list[Reason]) -> Reason:
    first = reasons[0]
    steps = tuple(name for reason in reasons for name in reason.steps)
    if len(reasons) == 1:
        return replace(first, sentence=f"{some_of(steps)}: {first.sentence}")
    said = GROUPED[first.kind].format(about=first.about)
    changes = [reason.earliest for reason in reasons if reason.earliest is not None]
    return replace(
        first, sentence=f"{some_of(steps)} {said}", earliest=min(changes, default=None), steps=steps
    )


def _with_earliest(
    scene: ExplainContext, reasons: Sequence[Reason], obstacles: Mapping[int, int]
) -> list[Reason]:
    """A dependency ends no earlier than what it waits for itself, and so on."""
    numbers = scene.run.plan.numbers
    parents = [numbers[one.about] for one in reasons if one.kind is ReasonKind.DEPENDENCY]
    times = _earliest(scene, parents, obstacles)
    return [
        replace(one, earliest=times[numbers[one.about]])
        if one.kind is ReasonKind.DEPENDENCY
        else one
        for one in reasons
    ]


def _earliest(
    scene: ExplainContext, numbers: Iterable[int], obstacles: Mapping[int, int]
) -> dict[int, datetime | None]:
    """When each of the steps can change at the earliest, and all that they wait for."""
    found: dict[int, datetime | None] = {}
    stack = list(numbers)
    while stack:
        number = stack[-1]
        waits_for = scene.waits_for(number) if number not in found else []
        missing = [parent for parent in waits_for if parent not in found]
        if missing:
            stack += missing
            continue
        stack.pop()
        if number not in found:
            times = [found[parent] for parent in waits_for]
            if not waits_for:
                times = [one.earliest for one in step_reasons(scene, number, obstacles)]
            found[number] = _latest(scene, times)
    return found


def _latest(scene: ExplainContext, times: Iterable[datetime | None]) -> datetime | None:
    """When all has changed at the earliest, which is not before the task begins."""
    start = None if scene.run.started else scene.run.start_at
    return max((at for at in (start, *times) if at is not None), default=None)
