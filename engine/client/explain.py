"""What an explanation is made of, gathered: the task folded, and what stands around it.

The present is one snapshot of the log and of the rows beside it. An earlier time is the history up
to an event; of everything else only what is in the log is known then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from flowledger.engine.domain.explain.context import ExplainContext, index_history
from flowledger.engine.domain.explain.explain import explain_step, explain_task, not_taken_on
from flowledger.engine.domain.explain.live_state import LiveState
from flowledger.engine.domain.explain.reasons import Explanation
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from flowledger.engine.domain.machine.task_run import TaskRun, fold_run
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.domain.templates.plan import Plan, compile_plan
from flowledger.engine.errors import (
    IllegalTransition,
    LogCorrupt,
    NothingRecorded,
    UnknownStep,
    UnknownTask,
    UnknownTemplate,
)
from flowledger.engine.events.base import Placed, PlacedEvent, Recorded, TaskEvent
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.client import Snapshot, Tasks
from flowledger.engine.text import nearest

LAST_POSITION = 2**63 - 1


def load_explanation(
    tasks: Tasks, rules: AdmissionRules, task_id: UUID, step: str | None, at: datetime | int | None
) -> Explanation:
    """Why the step does not run or, without one, why the task has not ended.

    `at` is a time or a position of the log; without it the present is explained. Raises
    UnknownTask, UnknownStep, NothingRecorded, LogCorrupt, DatabaseUnavailable.
    """
    if at is None:
        present = load_current(tasks, rules, task_id)
        if present.scene is None:
            return not_taken_on(task_id, step, present.beside)
        scene = present.scene
        if step is None and present.snapshot.task is None:
            return replace(explain_task(scene), state=TaskState.SUBMITTED)
    else:
        scene = earlier_scene(tasks, rules, task_id, at)
    if step is None:
        return explain_task(scene)
    if step not in scene.run.plan.numbers:
        raise UnknownStep(task_id, step, nearest(step, scene.run.plan.numbers))
    return explain_step(scene, step)


@dataclass(frozen=True, slots=True)
class Present:
    """A task as it stands; no scene where no coordinator has met it."""

    snapshot: Snapshot
    beside: LiveState
    scene: ExplainContext | None = None


def load_current(tasks: Tasks, rules: AdmissionRules, task_id: UUID) -> Present:
    """The task as it stands. Raises as `load_explanation`."""
    snapshot, beside = tasks.surroundings(task_id)
    history = placed(snapshot.history)
    if not history:
        if not tasks.known(task_id):
            raise UnknownTask(task_id)
        return Present(snapshot, beside)
    try:
        return Present(snapshot, beside, _scene(tasks, rules, task_id, history, beside))
    except (LogCorrupt, UnknownTemplate):
        if beside.parked is None:
            raise
        return Present(snapshot, beside)


def _scene(
    tasks: Tasks,
    rules: AdmissionRules,
    task_id: UUID,
    history: Sequence[Placed],
    beside: LiveState,
) -> ExplainContext:
    plan = _plan(tasks, rules, history)
    streams = {plan.template_id, *_systems(plan)}
    streams |= {holder.step_id for held in beside.limits.owners.values() for holder in held[:1]}
    return ExplainContext(
        run=_folded(task_id, history, plan),
        index=index_history(history),
        now=beside.now,
        rules=rules,
        live=beside,
        related_events=_elsewhere(tasks, streams, beside.shard.head),
    )


def earlier_scene(
    tasks: Tasks, rules: AdmissionRules, task_id: UUID, at: datetime | int
) -> ExplainContext:
    """The task as the log knows it at a time or position. Raises as `load_explanation`."""
    recorded = placed(tasks.history(task_id))
    if not recorded and not tasks.known(task_id):
        raise UnknownTask(task_id)
    position = _position(recorded, at)
    history = [one for one in recorded if one[0] <= position]
    if not history:
        raise NothingRecorded(task_id, at)
    plan = _plan(tasks, rules, history)
    streams = {plan.template_id, *_systems(plan)}
    if isinstance(at, datetime):
        now, elsewhere = at, _elsewhere(tasks, streams, LAST_POSITION, at)
    else:
        now, elsewhere = history[-1][1].occurred_at, _elsewhere(tasks, streams, position)
    return ExplainContext(
        run=_folded(task_id, history, plan),
        index=index_history(history),
        now=now.astimezone(UTC),
        rules=rules,
        related_events=elsewhere,
    )


def placed(history: Iterable[Recorded]) -> list[Placed]:
    """The events that make a task, with their positions; what people noted is none of them."""
    return [(one.position, one.event) for one in history if isinstance(one.event, TaskEvent)]


def _position(history: Sequence[Placed], at: datetime | int) -> int:
    """The last position of the time; events may have happened in another order than they lie in.

    0 where the task was not there yet, whatever is said to have happened to it before.
    """
    if not isinstance(at, datetime):
        return at
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    if not history or at < history[0][1].occurred_at:
        return 0
    return max(position for position, event in history if event.occurred_at <= at)


def _plan(tasks: Tasks, rules: AdmissionRules, history: Sequence[Placed]) -> Plan:
    created = history[0][1]
    if not isinstance(created, TaskCreated):
        raise LogCorrupt(f"the history of task {created.task_id} does not begin with its creation")
    return compile_plan(tasks.template(created.template_id), rules.namespaces)


def _folded(task_id: UUID, history: Sequence[Placed], plan: Plan) -> TaskRun:
    try:
        return fold_run((event for _, event in history), plan)
    except (IllegalTransition, LookupError) as error:
        raise LogCorrupt(
            f"the history of task {task_id} cannot be folded: {error}; see `flowledger replay`"
        ) from error


def _systems(plan: Plan) -> set[UUID]:
    return {circuit_id(step.system) for step in plan.steps if step.system is not None}


def _elsewhere(
    tasks: Tasks, streams: Iterable[UUID], until: int, by: datetime | None = None
) -> Mapping[UUID, PlacedEvent]:
    """The last events of the streams up to a position, and by a time where one is given."""
    kept: dict[UUID, PlacedEvent] = {}
    found = tasks.last_events(sorted(streams), until)
    for stream in found:
        one = found.get(stream)
        while one is not None and by is not None and one.event.occurred_at > by:
            one = tasks.last_events([stream], one.position - 1).get(stream)
        if one is not None:
            kept[stream] = one.position, one.event
    return kept
