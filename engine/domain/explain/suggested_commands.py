"""The commands an operator may run about a reason, and the root cause behind blocked steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from shlex import quote
from types import MappingProxyType

from flowledger.engine.domain.explain.context import ExplainContext
from flowledger.engine.domain.explain.never_started import pending_behind
from flowledger.engine.domain.explain.reasons import Reason, ReasonKind, in_order
from flowledger.engine.domain.explain.step_reasons import step_reasons
from flowledger.engine.domain.explain.task_reasons import obstacle
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.projector_command import projector_command

WHY = "--reason WHY"
REOPENED = frozenset({TaskState.IN_PROGRESS, TaskState.BLOCKED, TaskState.ERROR})
COORDINATOR = "flowledger coordinator"


def with_commands(scene: ExplainContext, reasons: list[Reason]) -> list[Reason]:
    """The reasons, each with what somebody may run about it."""
    return [
        one if one.command is not None else replace(one, command=command_of(scene, one))
        for one in reasons
    ]


def command_of(scene: ExplainContext, reason: Reason) -> str | None:
    """What somebody may run; None where there is nothing."""
    find = COMMANDS.get(reason.kind)
    return None if find is None else find(scene, reason)


def with_root(scene: ExplainContext, reason: Reason, obstacles: Mapping[int, int]) -> Reason:
    """A dependency that has not ended, with the step that all of it waits for, and why that does.

    Of several the most decisive is told, and the others are counted.
    """
    parent = scene.run.plan.numbers[reason.about]
    found = [
        (root, in_order(step_reasons(scene, root, obstacles))) for root in _roots(scene, parent)
    ]
    told = [(root, own[0]) for root, own in found if own]
    if not told:
        return reason
    root, first = min(told, key=lambda one: one[1].rank)
    name, more = scene.name(root), len(told) - 1
    others = f" (and {more} more)" if more else ""
    settled = scene.satisfies(parent)  # and its own sentence names the root
    behind = "" if root == parent or settled else f" behind {name}{others}"
    return replace(
        reason,
        sentence=f"{reason.sentence}{behind}: {first.sentence}",
        command=command_of(scene, first),
        details={**reason.details, "root": name, "root_kind": first.kind},
    )


def _roots(scene: ExplainContext, number: int) -> list[int]:
    """The steps that a step waits for, itself or through others, and that wait for none."""
    seen, stack, roots = {number}, [number], list[int]()
    while stack:
        one = stack.pop()
        before = scene.waits_for(one)
        if not before:
            roots.append(one)
        for parent in before:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(roots)


def _of_task(scene: ExplainContext, verb: str) -> str:
    return f"flowledger {verb} {scene.run.task_id} {WHY}"


def _of_step(scene: ExplainContext, verb: str, name: str) -> str:
    return f"flowledger step {verb} {scene.run.task_id} {quote(name)} {WHY}"


def _ended(scene: ExplainContext, reason: Reason) -> str | None:
    state = scene.run.task.state
    if not reason.steps:
        return _of_task(scene, "reset") if state is TaskState.ERROR else None
    number = scene.run.plan.numbers[reason.steps[0]]
    step = scene.run.steps[number].state
    if step in {StepState.ERROR, StepState.CANCELLED} and state in REOPENED:
        return _of_step(scene, "reset", reason.steps[0])
    if step is StepState.PENDING and state is TaskState.ERROR:
        root = reason.details.get("state")
        if root == StepState.SKIPPED:
            return _of_step(scene, "resolve", reason.steps[0])
        return _of_task(scene, "reset")
    open_to_operators = state is TaskState.ERROR or not scene.run.ended
    if step is StepState.SKIPPED and not scene.satisfies(number) and open_to_operators:
        behind = pending_behind(scene, number)
        return _of_step(scene, "resolve", scene.name(behind[0])) if behind else None
    return None


def _dependency_failed(scene: ExplainContext, reason: Reason) -> str:
    state = scene.run.steps[scene.run.plan.numbers[reason.about]].state
    if state is StepState.SKIPPED:
        return _of_step(scene, "resolve", reason.steps[0])
    return _of_step(scene, "reset", reason.about)


def _paused(scene: ExplainContext, reason: Reason) -> str:
    if reason.about == "task":
        return _of_task(scene, "resume")
    return f"flowledger templates resume {quote(reason.about)} {WHY}"


def _undecided(scene: ExplainContext, reason: Reason) -> str | None:
    if scene.earliest_decision is not None:
        return None
    stopped = None if scene.live is None else obstacle(scene.live.shard)
    return COORDINATOR if stopped is None else stopped.command


def _no_worker(scene: ExplainContext, reason: Reason) -> str:
    if reason.details.get("excluded"):
        namespace = quote(scene.run.plan.template.namespace)
        return (
            f"FLOWLEDGER_WORKER__NAMESPACES={namespace} flowledger worker TARGET"
            " (or add it to worker.namespaces of the one that runs, and start that anew)"
        )
    return "flowledger worker TARGET"


def _projection_behind(scene: ExplainContext, reason: Reason) -> str | None:
    match reason.details.get("standing"):
        case "paused" | "event_failed":
            return f"flowledger projections resume {quote(reason.about)} {WHY}"
        case "no_host":
            names = reason.details["projections"]
            command, known = projector_command(names if isinstance(names, dict) else ())
            return f"{command} ({known})" if known else command
        case _:
            return None


COMMANDS: Mapping[ReasonKind, Callable[[ExplainContext, Reason], str | None]] = MappingProxyType(
    {
        ReasonKind.ENDED: _ended,
        ReasonKind.PARKED: lambda scene, _: f"flowledger parked retry {scene.run.task_id} {WHY}",
        ReasonKind.DEPENDENCY_FAILED: _dependency_failed,
        ReasonKind.BLOCKED: lambda scene, _: _of_task(scene, "reset"),
        ReasonKind.PAUSED: _paused,
        ReasonKind.SUBMITTED: _undecided,
        ReasonKind.COORDINATOR_BEHIND: _undecided,
        ReasonKind.ROW_MISSING: lambda scene, _: _of_task(scene, "repair"),
        ReasonKind.LEASE_LOST: _undecided,
        ReasonKind.NO_WORKER: _no_worker,
        ReasonKind.PROJECTION_BEHIND: _projection_behind,
    }
)
