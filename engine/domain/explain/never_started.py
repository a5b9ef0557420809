"""Why steps did not start before their task ended, and what can still be done about them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flowledger.engine.domain.event_text import STATE_LABELS
from flowledger.engine.domain.explain.context import ExplainContext, cause
from flowledger.engine.domain.explain.reasons import Reason, ReasonKind
from flowledger.engine.domain.machine.transitions import StepState, TaskState

ANEW = "; whoever still wants it submits the task anew"
AFTER_END: Mapping[TaskState, str] = MappingProxyType(
    {
        TaskState.ERROR: "; it does when the task is reset",
        TaskState.COMPLETE: ANEW,
        TaskState.CANCELLED: ANEW,
        TaskState.RESOLVED_MANUALLY: "; an operator counts the task as done",
    }
)
"""Who must do what for a step that never started."""

STAYS_SKIPPED = "; no reset of the task starts it: an operator says how it was settled"
"""A reset tries anew what failed or was cancelled; what was skipped stays so."""


def not_started(scene: ExplainContext, number: int, root: int | None) -> Reason:
    """Of a step of a task that has ended: the step that kept it, if any, and who must do what."""
    task = scene.run.task.state
    said, rest = "did not start before the task ended", AFTER_END.get(task, "")
    if root is None:
        return Reason(
            kind=ReasonKind.ENDED,
            sentence=f"{said}{rest}",
            cause=cause(scene.index.task),
            details={"task_state": task},
            steps=(scene.name(number),),
        )
    name, state = scene.name(root), scene.run.steps[root].state
    if task is TaskState.ERROR and state is StepState.SKIPPED:
        rest = STAYS_SKIPPED
    return Reason(
        kind=ReasonKind.ENDED,
        sentence=f"{said}, since {name} is {STATE_LABELS[state]}{rest}",
        about=name,
        cause=cause(scene.last(root)),
        details={"task_state": task, "root": name, "state": state},
        steps=(scene.name(number),),
    )


def behind_skipped(scene: ExplainContext) -> str:
    """What becomes of what depends on a skipped step that lets nothing go on."""
    if scene.run.ended and scene.run.task.state is not TaskState.ERROR:
        return "did not start, and nothing of the task is started any more"
    return "does not start until an operator settles that"


def pending_behind(scene: ExplainContext, number: int) -> list[int]:
    """The steps right behind one that never started."""
    children = scene.run.plan.children[number]
    return [one for one in children if scene.run.steps[one].state is StepState.PENDING]
