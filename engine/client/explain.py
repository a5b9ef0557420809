"""Loads the input of an explanation: the task's fold and the live state around it.

The present is one snapshot of the log and of the rows beside it. An earlier time is the history up
to an event; of everything else only what is in the log is known then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flowledger.engine.client.row_states import state_of_step, state_of_task
from flowledger.engine.display_text import nearest
from flowledger.engine.domain.argument_checks import check_moment
from flowledger.engine.domain.explain.context import ExplainContext, index_history
from flowledger.engine.domain.explain.explain import explain_step, explain_task, not_taken_on
from flowledger.engine.domain.explain.live_state import LiveState
from flowledger.engine.domain.explain.reasons import Explanation, Reason, ReasonKind, in_order
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.domain.templates.validation_message import plain_text
from flowledger.engine.errors import (
    IllegalTransition,
    InvalidRequest,
    LogCorrupt,
    NothingRecorded,
    UnknownStep,
    UnknownTask,
    UnknownTemplate,
)
from flowledger.engine.events.base import Event, Placed, Recorded, TaskEvent
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.unreadable import unreadable_in
from flowledger.engine.ports.client import Snapshot, Tasks

LAST_POSITION = 2**63 - 1
CLOCKS_DIFFER = timedelta(minutes=1)
"""A time may be ahead by so much: it was read from another host's clock than the database's."""

LONGEST_NAME = 200


def load_explanation(
    tasks: Tasks, rules: AdmissionRules, task_id: UUID, step: str | None, at: datetime | int | None
) -> Explanation:
    """Why the step does not run or, without one, why the task has not ended.

    `at` is a time or a position of the log; without it the present is explained. Raises
    UnknownTask, UnknownStep, NothingRecorded, LogCorrupt, DatabaseUnavailable.
    """
    if at is None:
        present = load_current(tasks, rules, task_id)
        scene, faults = present.scene, list(present.faults)
        if scene is None:
            return _without_scene(task_id, step, present)
        if step is None and present.snapshot.task is None:
            found = replace(explain_task(scene), state=TaskState.SUBMITTED)
            return replace(found, reasons=in_order([*_parked(faults, step), *found]))
    else:
        scene, faults = earlier_scene(tasks, rules, task_id, at)
    found = _explained(scene, task_id, step)
    return replace(found, reasons=in_order([*_parked(faults, step), *found]))


def _without_scene(task_id: UUID, step: str | None, present: Present) -> Explanation:
    told = not_taken_on(task_id, step, present.beside)
    if not present.faults:
        return told
    row = present.snapshot.task
    states = {one.step: one for one in present.snapshot.steps}
    known = () if present.beside.parked is None else told
    reasons = in_order([*_parked(present.untold, step), *known])
    if step is not None:
        state = state_of_step(states[step]) if step in states else StepState.PENDING
        return replace(told, state=state, reasons=reasons)
    return replace(told, state=state_of_task(row) if row else told.state, reasons=reasons)


def _parked(faults: Iterable[str], step: str | None) -> list[Reason]:
    steps = () if step is None else (step,)
    return [Reason(kind=ReasonKind.PARKED, sentence=fault, steps=steps) for fault in faults]


def _explained(scene: ExplainContext, task_id: UUID, step: str | None) -> Explanation:
    if step is None:
        return explain_task(scene)
    step = plain_text(step)  # also of what is no text, which is then no step's name
    if step not in scene.run.plan.numbers:
        shown = step if len(step) <= LONGEST_NAME else f"{step[:LONGEST_NAME]}…"
        raise UnknownStep(task_id, shown, nearest(shown, scene.run.plan.numbers))
    return explain_step(scene, step)


@dataclass(frozen=True, slots=True)
class Present:
    """A task as it stands; no scene where no coordinator has met it, or nothing can be folded.

    `faults` says which events cannot be read or do not follow, and why the coordinator leaves the
    task alone. The scene is made of the others, as far as they follow.
    """

    snapshot: Snapshot
    beside: LiveState
    scene: ExplainContext | None = None
    faults: tuple[str, ...] = ()

    @property
    def untold(self) -> Sequence[str]:
        """The faults that are not also why the task is parked."""
        parked = self.beside.parked
        return [fault for fault in self.faults if parked is None or fault not in parked.reason]


def load_current(tasks: Tasks, rules: AdmissionRules, task_id: UUID) -> Present:
    """The task as it stands. Raises as `load_explanation`."""
    snapshot, beside = tasks.surroundings(task_id)
    history, faults = placed(snapshot.history), unreadable_in(snapshot.history)
    if not history and not faults and not tasks.known(task_id):
        raise UnknownTask(task_id)
    if not history or (faults and not isinstance(history[0][1], TaskCreated)):
        return Present(snapshot, beside, faults=tuple(faults))
    try:
        plan = _plan(tasks, rules, history)
    except UnknownTemplate as error:
        return Present(snapshot, beside, faults=(*faults, str(error)))
    streams = {plan.template_id, *_systems(plan)}
    streams |= {holder.step_id for held in beside.limits.owners.values() for holder in held[:1]}
    run, strange = _folded(history, plan)
    scene = ExplainContext(
        run=run,
        index=index_history(history),
        now=beside.now,
        rules=rules,
        live=beside,
        related_events=_elsewhere(tasks, streams, beside.shard.head),
    )
    return Present(snapshot, beside, scene, (*faults, *strange))


def earlier_scene(
    tasks: Tasks, rules: AdmissionRules, task_id: UUID, at: datetime | int
) -> tuple[ExplainContext, list[str]]:
    """The task as the log knows it at a time or position, and faults. Raises as
    `load_explanation`."""
    at = check_moment("at", at)
    stored = tasks.history(task_id)
    recorded = placed(stored)
    if not recorded and not tasks.known(task_id):
        raise UnknownTask(task_id)
    _require_past(tasks, at)
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
    run, strange = _folded(history, plan)
    scene = ExplainContext(
        run=run,
        index=index_history(history),
        now=now.astimezone(UTC),
        rules=rules,
        related_events=elsewhere,
    )
    return scene, [*unreadable_in(one for one in stored if one.position <= position), *strange]


def _require_past(tasks: Tasks, at: datetime | int) -> None:
    """Raises InvalidRequest for a time that is yet to come, or a position behind the log's end."""
    if isinstance(at, datetime):
        now = tasks.now()
        if at - CLOCKS_DIFFER > now:
            raise InvalidRequest(
                f"at should be no later than now, which is {now.isoformat()} by the engine's clock,"
                f" got {at.isoformat()}"
            )
    elif at > (last := tasks.last_position()):
        raise InvalidRequest(f"at should be a position of the log, which ends at {last}, got {at}")


def placed(history: Iterable[Recorded]) -> list[Placed[TaskEvent]]:
    """The events that make a task, with their positions; what people noted is none of them."""
    return [(one.position, one.event) for one in history if isinstance(one.event, TaskEvent)]


def _position(history: Sequence[Placed[TaskEvent]], at: datetime | int) -> int:
    """The last position of the time; events may have happened in another order than they lie in.

    0 where the task was not there yet, whatever is said to have happened to it before.
    """
    if not isinstance(at, datetime):
        return at
    if not history or at < history[0][1].occurred_at:
        return 0
    return max(position for position, event in history if event.occurred_at <= at)


def _plan(tasks: Tasks, rules: AdmissionRules, history: Sequence[Placed[TaskEvent]]) -> Plan:
    created = history[0][1]
    if not isinstance(created, TaskCreated):
        raise LogCorrupt(f"the history of task {created.task_id} does not begin with its creation")
    return compile_plan(tasks.template(created.template_id), rules.namespaces)


def _folded(history: Sequence[Placed[TaskEvent]], plan: Plan) -> tuple[TaskRun, Sequence[str]]:
    """The task by the events that follow from those before; of a stream none behind one that does
    not, which is told."""
    (_, created), *others = history
    if not isinstance(created, TaskCreated):
        raise LogCorrupt(f"the history of task {created.task_id} does not begin with its creation")
    run, broken, faults = TaskRun(created, plan), set[UUID](), list[str]()
    for position, event in others:
        if event.originator_id in broken:
            continue
        try:
            run.apply(event)
        except (IllegalTransition, LookupError) as error:
            broken.add(event.originator_id)
            faults.append(f"position {position}: it cannot be folded: {error}")
    return run, faults


def _systems(plan: Plan) -> set[UUID]:
    return {circuit_id(step.system) for step in plan.steps if step.system is not None}


def _elsewhere(
    tasks: Tasks, streams: Iterable[UUID], until: int, by: datetime | None = None
) -> Mapping[UUID, Placed[Event]]:
    """The last events of the streams up to a position, and by a time where one is given."""
    kept: dict[UUID, Placed[Event]] = {}
    found = tasks.last_events(sorted(streams), until)
    for stream in found:
        one = found.get(stream)
        while one is not None and by is not None and one.event.occurred_at > by:
            one = tasks.last_events([stream], one.position - 1).get(stream)
        if one is not None:
            kept[stream] = one.position, one.event
    return kept
