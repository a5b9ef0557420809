"""What must hold of every task when all is over, told from the log without the engine's own rules.

The log is also folded with the engine's tables, and the rows are held against the fold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from simulation.agenda import Violation
from simulation.cluster import Cluster

from flowledger.engine import events as happened
from flowledger.engine.domain.limits.demand import demand_of
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import STEP_TRANSITIONS, StepState
from flowledger.engine.domain.templates.compiled_template import Plan, ancestors, compile_plan
from flowledger.engine.domain.verify.replay_and_compare_rows import Replay, differences, visible_at
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.base import Event, StepEvent, TaskEvent
from flowledger.engine.events.requests import StepRequest
from flowledger.engine.ports.client import Snapshot

COMPLETED = (happened.StepCompleted, happened.StepCompletedManually)
SETTLED = (*COMPLETED, happened.StepResolvedManually)
STEP_ENDED = (
    *SETTLED,
    happened.StepFailed,
    happened.StepCancelled,
    happened.StepSkipped,
)
ENDS = {
    happened.TaskCompleted: "complete",
    happened.TaskFailed: "error",
    happened.TaskTimedOut: "error",
    happened.TaskCancelled: "cancelled",
    happened.TaskResolvedManually: "resolved_manually",
}
UNSETTLED = {StepState.ENQUEUED, StepState.IN_PROGRESS, StepState.WAITING_FOR_RETRY}
WITHOUT_END = {StepState.ERROR, StepState.CANCELLED}
QUEUED = {StepState.ENQUEUED, StepState.IN_PROGRESS}


def check(cluster: Cluster, tasks: list[UUID], requests: list[UUID]) -> None:
    """Raises Violation where a promise was broken."""
    for task in tasks:
        snapshot = cluster.tasks.snapshot(task)
        if snapshot.task is None:
            raise Violation(f"nobody has heard of {task}")
        plan = compile_plan(cluster.tasks.template(snapshot.task.template_id))
        _check_order(snapshot, plan)
        _check_early(snapshot, plan)
        _check_end(snapshot, _folded(snapshot, plan))
    _check_times(cluster)
    _check_answers(cluster, requests)
    _check_limits(cluster)
    _check_rest(cluster)
    _check_executions(cluster)


def _check_order(snapshot: Snapshot, plan: Plan) -> None:
    """No step before what it depends on, none completed twice, attempts without gaps."""
    parents = {step.name: set(step.dependencies) for step in plan.steps}
    stops = {step.name for step in plan.steps if step.when_skipped == "stop"}
    satisfied: set[str] = set()
    completed: set[str] = set()
    attempts: Counter[str] = Counter()
    for event in (recorded.event for recorded in snapshot.history):
        if not isinstance(event, StepEvent) or isinstance(event, StepRequest):
            continue
        step = event.step
        if isinstance(event, happened.StepEnqueued) and not parents[step] <= satisfied:
            raise Violation(f"{step} was queued before what it depends on")
        if isinstance(event, happened.StepStarted):
            attempts[step] += 1
            if event.attempt != attempts[step]:
                raise Violation(f"start {attempts[step]} of {step} is attempt {event.attempt}")
        if isinstance(event, happened.StepReset):
            attempts[step] = 0
        if isinstance(event, COMPLETED):
            if step in completed:
                raise Violation(f"{step} was completed twice")
            completed.add(step)
        skipped = isinstance(event, happened.StepSkipped) and step not in stops
        if skipped or isinstance(event, SETTLED):
            satisfied.add(step)


def _check_early(snapshot: Snapshot, plan: Plan) -> None:
    """No step before all that it depends on, directly or not, has ended, whoever settled it."""
    ended: set[str] = set()
    for event in (recorded.event for recorded in snapshot.history):
        if isinstance(event, happened.StepEnqueued) and not ancestors(plan, event.step) <= ended:
            raise Violation(
                f"{event.step} was queued before something that it depends on had ended"
            )
        if isinstance(event, STEP_ENDED):
            ended.add(event.step)
        elif isinstance(event, happened.StepReset):
            ended.discard(event.step)


def _check_times(cluster: Cluster) -> None:
    """Nothing happened before what it follows in its stream, nor before its cause."""
    happened_at: dict[UUID, Event] = {}
    last: dict[UUID, Event] = {}
    for event in (recorded.event for recorded in cluster.database.log.rows):
        cause = happened_at.get(event.causation_id) if event.causation_id else None
        for earlier in filter(None, (last.get(event.originator_id), cause)):
            if event.occurred_at < earlier.occurred_at:
                late = earlier.occurred_at - event.occurred_at
                raise Violation(f"{event} happened {late} before {earlier}")
        happened_at[event.event_id] = last[event.originator_id] = event


def _folded(snapshot: Snapshot, plan: Plan) -> TaskRun:
    """The run of a legal log, of which the rows say the same."""
    log = [
        (one.position, one.event) for one in snapshot.history if isinstance(one.event, TaskEvent)
    ]
    replay, whole = Replay(plan), Replay(plan)
    try:
        for _ in replay.frames(visible_at(log, snapshot.position)):
            pass
        for _ in whole.frames(log):
            pass
    except (IllegalTransition, LookupError) as error:
        raise Violation(f"the log cannot be folded: {error}") from error
    task = snapshot.task and {**_fields(snapshot.task), "ended": snapshot.task.ended_at is not None}
    found = differences(replay.run, task, {step.step: _fields(step) for step in snapshot.steps})
    if found or whole.run is None:
        raise Violation("; ".join(map(str, found)))
    return whole.run


def _check_end(snapshot: Snapshot, run: TaskRun) -> None:
    """The task's end is the one that its steps' ends, or an operator, asked for."""
    ends = [one.event for one in snapshot.history if type(one.event) in ENDS]
    state = snapshot.task and snapshot.task.state
    if not ends:
        raise Violation(f"the task is {state}, and nothing says so")
    last = ends[-1]
    if state != ENDS[type(last)]:
        raise Violation(f"the task is {state} after {type(last).__name__}")
    states = {step.state for step in run.steps}
    if states & UNSETTLED:
        raise Violation(f"the task is {state}, its steps are {sorted(states)}")
    if last.actor is not None or isinstance(last, happened.TaskTimedOut):
        return
    failed, cancelled = StepState.ERROR in states, StepState.CANCELLED in states
    expected = "error" if failed else "cancelled" if cancelled else "complete"
    if state != expected:
        raise Violation(f"the task is {state}, not {expected}: its steps are {sorted(states)}")
    if state == "complete" and StepState.PENDING in states - {StepState.SKIPPED}:
        _check_pending(run)


def _check_pending(run: TaskRun) -> None:
    """In a task that completed, only what depends on a step that was skipped may be pending."""
    for number, step in enumerate(run.steps):
        if step.state is StepState.PENDING and not any(
            run.steps[parent].state in {StepState.PENDING, StepState.SKIPPED}
            or run.unended_before(parent)
            for parent in run.plan.parents[number]
        ):
            raise Violation(f"{run.plan.steps[number].name} could have run")


def _check_answers(cluster: Cluster, requests: list[UUID]) -> None:
    """Every request was answered, once."""
    for request in requests:
        answers = cluster.database.log.stream(request)[1:]
        if len(answers) != 1:
            raise Violation(f"the answers to a request are {answers}")


def _check_limits(cluster: Cluster) -> None:
    """Never more steps of a key queued or running than its limit, after any transaction."""
    log, holders = cluster.database.log, _Holders(cluster)
    for recorded in log.rows:
        holders.saw(recorded.event)
        if recorded.position in log.ends:
            holders.count()


class _Holders:
    """Which steps hold which key, told from the log; `touched` has the limits of some keys."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._held: defaultdict[str, set[UUID]] = defaultdict(set)
        self._tasks: dict[UUID, tuple[Plan, Any]] = {}
        self._states: dict[UUID, StepState] = {}
        self._touched: dict[str, int] = {}

    def saw(self, event: Event) -> None:
        """An event of the log, in its order."""
        if isinstance(event, happened.TaskCreated):
            plan = compile_plan(self._cluster.tasks.template(event.template_id))
            self._tasks[event.task_id] = plan, event.context
        if not isinstance(event, StepEvent) or isinstance(event, StepRequest):
            return
        stream = event.originator_id
        before = self._states.get(stream, StepState.PENDING)
        self._states[stream] = after = STEP_TRANSITIONS[before, type(event)]
        plan, context = self._tasks[event.task_id]
        namespaces = self._cluster.limits.namespace_concurrency
        for key, limit in demand_of(plan, plan.numbers[event.step], context, namespaces).slots:
            held = self._held[key]
            (held.add if after in QUEUED else held.discard)(stream)
            self._touched[key] = limit

    def count(self) -> None:
        """Raises Violation where more hold a key than may."""
        for key, limit in self._touched.items():
            if len(self._held[key]) > limit:
                raise Violation(f"{len(self._held[key])} steps hold {key}, whose limit is {limit}")
        self._touched = {}


def _check_rest(cluster: Cluster) -> None:
    """Nothing is left of tasks that ended."""
    database, limits = cluster.database, cluster.database.limits
    left = [
        *(*database.queue.values(), *database.timers.values(), *database.submissions.values()),
        *(*limits.in_use, *limits.holders, *limits.waiters),
    ]
    if left or not cluster.rests:
        raise Violation(f"left behind: {left}")


def _check_executions(cluster: Cluster) -> None:
    """A handler ran at most once for each start that the log has."""
    twice = [key for key, times in cluster.executions.items() if times > 1]
    if twice:
        raise Violation(f"run more than once for one start: {twice}")


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}
