"""Verifies one task: the log against itself, and then every row derived from it.

If the log of a task is incomplete or contradicts itself, nothing says what its rows should be, and
they are not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.domain.templates.compiled_template import Plan
from flowledger.engine.domain.verify.log import LOG, CheckedFold, LogEntry, own_entries, whole
from flowledger.engine.domain.verify.queue_timer_and_slot_rows import (
    TASK,
    QueueRows,
    by_step,
    coordinated,
    misplaced_rows,
    queued,
    step_names,
)
from flowledger.engine.domain.verify.replay_and_compare_rows import (
    Difference,
    Row,
    differences,
    visible_at,
)
from flowledger.engine.errors import InvalidTemplate, LogCorrupt, UnknownTemplate
from flowledger.engine.events.base import Placed, TaskEvent
from flowledger.engine.events.registry import FACTS
from flowledger.engine.events.task import TaskCreated

NO_PLAN = (UnknownTemplate, InvalidTemplate, LogCorrupt)
PARKED = "flowledger.parked_task"
DECIDED = "the coordinator's decisions"
WORK = ("queue", "timer", "waiting_step", "slot")
PlanOf = Callable[[UUID], Plan]


@dataclass(frozen=True, slots=True)
class StoredTask:
    """All that is stored of a task, in one snapshot.

    `log` has what lies in the task's range, `rows` the rows of each table, named like columns;
    those by a step's id are of the whole range. `owners` has the tasks of identities, `position`
    is how far the coordinator has come, `now` the engine's time.
    """

    task_id: UUID
    position: int
    now: datetime
    log: Sequence[LogEntry]
    rows: Mapping[str, Sequence[Row]]
    owners: Mapping[str, UUID]


class Onlooker:
    """Sees what a task was folded to, on the way; this one makes nothing of it."""

    def at_position(self, run: TaskRun, work: QueueRows) -> None:
        """The run where the coordinator stands; it goes on changing."""

    def at_end(self, fold: CheckedFold) -> None:
        """The fold of the whole log."""


NOBODY = Onlooker()


def verify_task(
    evidence: StoredTask, plan_of: PlanOf, onlooker: Onlooker = NOBODY
) -> list[Difference]:
    """Every difference. `plan_of` may raise UnknownTemplate, InvalidTemplate and LogCorrupt."""
    task_id = evidence.task_id
    return [replace(found, task_id=task_id) for found in _verified(evidence, plan_of, onlooker)]


def created_of(evidence: StoredTask) -> TaskCreated | None:
    """How the task began, where the log says that readably."""
    return next((event for event in map(_created, evidence.log) if event), None)


def _verified(evidence: StoredTask, plan_of: PlanOf, onlooker: Onlooker) -> Iterable[Difference]:
    created = created_of(evidence)
    if created is None:
        return _without_creation(evidence)
    try:
        plan = plan_of(created.template_id)
    except NO_PLAN as error:
        return [Difference("task", "template", str(error), created.template_id, LOG)]
    names = step_names(evidence.task_id, plan.numbers)
    entries = own_entries(evidence.task_id, evidence.log, names)
    found = whole(evidence.task_id, entries, names)
    return found or _folded(evidence, plan, entries, names, onlooker)


def _created(entry: LogEntry) -> TaskCreated | None:
    event = entry.event
    is_first = isinstance(event, TaskCreated) and entry.stream == entry.task_id
    return event if is_first and isinstance(event, TaskCreated) else None


def _without_creation(evidence: StoredTask) -> list[Difference]:
    entries = own_entries(evidence.task_id, evidence.log, {})
    if entries:
        found = whole(evidence.task_id, entries, {})
        return found or [Difference("task", "first event", "TaskCreated", "missing", LOG)]
    return _unmet(evidence)


def _unmet(evidence: StoredTask) -> list[Difference]:
    """No coordinator has met the task, so there are no rows."""
    task = next(iter(evidence.rows.get("task", ())), None)
    return list(
        differences(None, task, {row["step"]: row for row in evidence.rows.get("step", ())})
    )


def _folded(
    evidence: StoredTask,
    plan: Plan,
    entries: Sequence[LogEntry],
    names: Mapping[UUID, str],
    onlooker: Onlooker,
) -> list[Difference]:
    history = [(e.position, e.event) for e in entries if isinstance(e.event, TaskEvent)]
    seen = visible_at(history, evidence.position)
    fold = CheckedFold(plan)
    found = fold.take(seen)
    if found:
        return found
    work = _work(evidence, names)
    if fold.run is None:
        found = _unmet(evidence)
    else:
        found = [*_rows(evidence, fold, fold.run, work), *_answers(fold.run)]
        if not found and not evidence.rows.get("parked_task"):
            found = list(_passed_over(fold.run))
        onlooker.at_position(fold.run, work)
    beyond = fold.take(_waiting(history, seen))
    if not beyond:
        onlooker.at_end(fold)
    found += beyond or queued(fold, work)
    found += misplaced_rows(evidence.task_id, evidence.rows, names)
    found += _identity(evidence, fold.run)
    return found or _parked(evidence, fold.run, history)


def _waiting(
    history: Sequence[Placed[TaskEvent]], seen: Sequence[Placed[TaskEvent]]
) -> list[Placed[TaskEvent]]:
    known = {position for position, _ in seen}
    return [placed for placed in history if placed[0] not in known]


def _rows(
    evidence: StoredTask, fold: CheckedFold, run: TaskRun, work: QueueRows
) -> Iterator[Difference]:
    steps = {row["step"]: row for row in evidence.rows.get("step", ())}
    task = next(iter(evidence.rows.get("task", ())), None)
    if task is not None:
        task = {**task, "ended": task["ended_at"] is not None}
    yield from differences(run, task, steps)
    if task is not None and run.ended and task["ended_at"] not in {None, run.ended_at}:
        yield Difference("task", "ended_at", run.ended_at, task["ended_at"])
    yield from coordinated(run, work)


def _answers(run: TaskRun) -> Iterator[Difference]:
    """Every request is answered in the transaction in which it is read."""
    for stream, request in run.requests.items():
        subject, name = f"stream {stream}", type(request).__name__
        yield Difference(
            subject, f"answer to {name}", "there", "missing", LOG, "the coordinator's position"
        )


def passed_over(run: TaskRun) -> bool:
    """Whether the coordinator stands behind facts that it never decided on."""
    return any(_passed_over(run))


def _passed_over(run: TaskRun) -> Iterator[Difference]:
    """What it always decides in the transaction in which it reads the fact.

    What is ready and was not queued is told of by the rows of what waits.
    """
    why = (DECIDED, "the coordinator's position")
    for number, event in run.undecided.items():
        subject, name = f"step {run.plan.steps[number].name!r}", type(event).__name__
        yield Difference(subject, f"decision on {name}", "there", "missing", *why)
    if run.ended or run.task.state is TaskState.BLOCKED:
        return
    if not run.started:
        if run.start_at is None and not run.task.paused:
            yield Difference("task", "start", "there", "missing", *why)
    elif not (run.active or run.ready or run.waiting):
        yield Difference("task", "end", "there", "missing", *why)


def _identity(evidence: StoredTask, run: TaskRun | None) -> Iterator[Difference]:
    created = created_of(evidence)
    if run is None or created is None or created.identity is None:
        return
    owner = evidence.owners.get(created.identity)
    if owner != run.task_id:
        place = "flowledger.identity"
        yield Difference("task", f"owner of {created.identity}", run.task_id, owner, place)


def _parked(
    evidence: StoredTask, run: TaskRun | None, history: Sequence[Placed[TaskEvent]]
) -> list[Difference]:
    """A task that has ended, and was asked nothing since, is nothing to be left alone.

    Of one that is open nobody can tell but its coordinator, which tries it where it is wanted.
    """
    parked = any(not row["wanted"] for row in evidence.rows.get("parked_task", ()))
    decided = max((at for at, event in history if not isinstance(event, FACTS)), default=0)
    undecided = any(at > decided for at, event in history if isinstance(event, FACTS))
    if not parked or undecided or run is None or not run.ended:
        return []
    return [Difference("task", "row", "none, as it has ended", "there", PARKED)]


def _work(evidence: StoredTask, names: Mapping[UUID, str]) -> QueueRows:
    queue, timers, held, slots = (evidence.rows.get(relation, ()) for relation in WORK)
    keys: dict[str, set[str]] = {}
    for row in slots:
        if row["step_id"] in names:
            keys.setdefault(names[row["step_id"]], set()).add(row["limit_key"])
    return QueueRows(
        now=evidence.now,
        queue=by_step(queue, names),
        timers=by_step(timers, {**names, evidence.task_id: TASK}),
        waiting=by_step(held, names),
        slots=keys,
    )
