"""Verifies the rows of a task's work against its fold: queue, timers, slots, waiting steps.

Timers, slots and waiting steps are the coordinator's, so they are compared at its position. Queue
rows are also the workers', who claim and release in the transactions of their facts: they are
compared with the whole log. What a point of priority weighs, and how many workers a step may lose,
is the coordinator's configuration, which may have been another: of the place in the queue only that
is compared which holds for all.

Some rows come and go without an event, and are no differences:
- The timer of a step that fired and led to nothing is removed when timers are next fired. A retry
  that fell due while its task was paused has no timer any more.
- A coordinator that is behind may queue a step again that has already ended: nobody owns that row,
  it has the version of a queueing that led to a start, and a claim of it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.limits.demand import demand_of
from flowledger.engine.domain.machine.task_run import BUSY, TaskRun
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.verify.log import CheckedFold
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference, Row

HOLDS = "flowledger.waiting_step"
QUEUE = "flowledger.queue"
SLOTS = "flowledger.slot"
TIMERS = "flowledger.timer"
NONE = "none"
ENGINES = "what engines write"
SLACK = 60.0
"""Seconds by which the coordinator's estimate of the engine's time may be off, and more."""

MOST_OFF = timedelta(seconds=SLACK)
UNTIMED = {"slot", "template"}
"""What has room at a time that nobody knows before."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TASK = ""
"""In place of a step's name: the task as a whole."""


@dataclass(frozen=True, slots=True)
class QueueRows:
    """The rows of a task's work in progress, by step; `now` is the engine's time."""

    now: datetime
    queue: Mapping[str, Row]
    timers: Mapping[str, Row]
    waiting: Mapping[str, Row]
    slots: Mapping[str, Collection[str]]


def coordinated(run: TaskRun, work: QueueRows) -> Iterator[Difference]:
    """Where timers, slots and waiting steps differ."""
    yield from _timers(run, work)
    for number, template in enumerate(run.plan.steps):
        name = template.name
        if waits_early(run, number, work):
            _, due_at = run.timers[number]
            row, why = work.waiting[name], f"none, as it is due at {due_at}"
            yield Difference(f"step {name!r}", "hold", why, row["kind"], HOLDS)
        else:
            yield from _hold(run, number, work)
        yield from _slots(run, number, work.slots.get(name, ()))


def queued(fold: CheckedFold, work: QueueRows) -> Iterator[Difference]:
    """Where the queue differs from the whole log."""
    run = fold.run
    if run is None:
        return
    for number, template in enumerate(run.plan.steps):
        log, row = queue_row_of(fold, run, number), work.queue.get(template.name)
        if row is None or log is not None or not _is_refused(fold, row):
            yield from compared(f"step {template.name!r}", log, row, QUEUE)
        if row is not None and log is not None:
            yield from misqueued(fold, run, number, row, work.now)
        if row is not None and not row.get("readable_heartbeat", True):
            subject = f"step {template.name!r}"
            yield Difference(subject, "heartbeat_details", "readable", "unreadable", QUEUE, ENGINES)


def misqueued(
    fold: CheckedFold, run: TaskRun, number: int, row: Row, now: datetime
) -> Iterator[Difference]:
    """Where a row in the queue is before or behind its turn, or alone without a reason."""
    step = run.plan.steps[number].name
    subject, turn = f"step {step!r}", float(row["sort_key"])
    if not isfinite(turn):
        yield Difference(subject, "sort_key", "a time", turn, QUEUE)
    else:
        since = min(run.turn_since or run.created_at, fold.queued[step].occurred_at)
        yield from _out_of_turn(run, subject, turn, (since, now), QUEUE)
    if row["exclusive"] and not run.steps[number].lost:
        yield Difference(subject, "exclusive", log=False, row=True, place=QUEUE)


def _out_of_turn(
    run: TaskRun, subject: str, turn: float, times: tuple[datetime, datetime], place: str
) -> Iterator[Difference]:
    since, until = ((at - EPOCH).total_seconds() for at in times)
    if run.priority <= 0 and turn < since - SLACK:
        yield Difference(subject, "sort_key", f"at least {since}", turn, place)
    elif run.priority >= 0 and turn > until + SLACK:
        yield Difference(subject, "sort_key", "not to come", turn, place)


def compared(subject: str, log: Row | None, row: Row | None, place: str) -> Iterator[Difference]:
    """Every field that differs; where one of the two is not there at all, that."""
    if log is None or row is None:
        if log is not row:
            said, stored = ("none" if one is None else "there" for one in (log, row))
            yield Difference(subject, "row", said, stored, place)
        return
    for field, value in log.items():
        if row[field] != value:
            yield Difference(subject, field, value, row[field], place)


def queue_row_of(fold: CheckedFold, run: TaskRun, number: int) -> Row | None:
    """What the queue says of the step by the whole log, but for its turn; None: nothing."""
    step, name = run.steps[number], run.plan.steps[number].name
    if step.state not in BUSY:
        return None
    runs = step.state is StepState.IN_PROGRESS
    correlation = run.correlation_id
    return {
        "task_id": run.task_id,
        "template_id": run.plan.template_id,
        "step": name,
        "stream_version": step.version - runs,
        "attempt": step.attempt + (not runs),
        "resets": step.resets,
        "cancelling": runs and step.cancelling,
        "worker_id": fold.starts[name].worker if runs else None,
        "correlation_id": None if correlation == str(run.task_id) else correlation,
    }


def _is_refused(fold: CheckedFold, row: Row) -> bool:
    event, start = fold.queued.get(row["step"]), fold.starts.get(row["step"])
    if event is None or start is None or start.originator_version != event.originator_version + 1:
        return False
    queued_at = event.originator_version, event.attempt
    return row["worker_id"] is None and queued_at == (row["stream_version"], row["attempt"])


def _timers(run: TaskRun, work: QueueRows) -> Iterator[Difference]:
    expected = {run.plan.steps[number].name: timer for number, timer in run.timers.items()}
    for name in dict.fromkeys((TASK, *expected, *work.timers)):
        row, timer = work.timers.get(name), expected.get(name) if name else run.timer
        if name in work.waiting and not _is_early(timer, work.waiting[name], work.now):
            timer = None  # it is due, and waits for room
        if timer is None and (row is None or row["due_at"] <= work.now):
            continue
        if row is None and timer is not None and _fired_in_vain(run, *timer, now=work.now):
            continue
        log = None if timer is None else _timer_row(run, name, *timer)
        yield from compared(f"step {name!r}" if name else "task", log, row, TIMERS)


def waits_early(run: TaskRun, number: int, work: QueueRows) -> bool:
    """Whether the row by which the step waits for room is there before its retry is due."""
    row = work.waiting.get(run.plan.steps[number].name)
    return row is not None and _is_early(run.timers.get(number), row, work.now)


def _is_early(timer: tuple[str, datetime] | None, row: Row, now: datetime) -> bool:
    """A clock that was put back since may show an earlier time than the row has seen."""
    return timer is not None and max(now, row["since"]) < timer[1]


def _fired_in_vain(run: TaskRun, kind: str, due_at: datetime, *, now: datetime) -> bool:
    return kind == "retry" and run.task.paused and due_at <= now


def _timer_row(run: TaskRun, name: str, kind: str, due_at: datetime) -> Row:
    return {"task_id": run.task_id, "step": name, "kind": kind, "due_at": due_at}


def _hold(run: TaskRun, number: int, work: QueueRows) -> Iterator[Difference]:
    name = run.plan.steps[number].name
    row, subject = work.waiting.get(name), f"step {name!r}"
    if row is None:
        if number in run.ready and run.started and not (run.ended or run.task.paused):
            yield Difference(subject, "hold", "one, or a place in the queue", NONE, HOLDS)
        return
    if run.ended or not run.may_wait(number):
        state = run.steps[number].state
        yield Difference(subject, "hold", f"none, as it is {state}", row["kind"], HOLDS)
        return
    log = {"task_id": run.task_id, "step": name}
    yield from compared(subject, log, row, HOLDS)
    if not row.get("readable", True):
        yield Difference(subject, "demand or sort_key", "readable", "unreadable", HOLDS, ENGINES)
    else:
        yield from _misheld(run, number, row, work.now)


def _misheld(run: TaskRun, number: int, row: Row, now: datetime) -> Iterator[Difference]:
    """Where a row that waits is out of turn, or says what the step cannot wait for."""
    subject = f"step {run.plan.steps[number].name!r}"
    kind, key, since = row["kind"], row["limit_key"], row["since"]
    if (kind, key) not in _awaitable(run, number):
        yield Difference(subject, "hold", "for what the step needs", f"{kind} {key}", HOLDS)
    if kind in UNTIMED and row["until"] is not None:
        yield Difference(subject, "until", None, row["until"], HOLDS, ENGINES)
    if not run.created_at - MOST_OFF <= since <= now + MOST_OFF:
        said = f"from {run.created_at} to now"
        yield Difference(subject, "since", said, since, HOLDS)
    turn = float(row["sort_key"])
    yield from _out_of_turn(run, subject, turn, (run.created_at, now), HOLDS)


def _awaitable(run: TaskRun, number: int) -> set[tuple[str, str]]:
    """All that the step may wait for, each a kind and a key."""
    demand = demand_of(run.plan, number, run.context, {})
    slots = [limit.key for limit in demand.slots]
    systems = [] if demand.system is None else [demand.system]
    return {
        ("template", str(demand.template_id)),
        *(("circuit", system) for system in systems),
        *(("slot", key) for key in (*slots, f"namespace:{run.plan.template.namespace}")),
        *(("rate", limit.key) for limit in demand.rates),
    }


def _slots(run: TaskRun, number: int, keys: Collection[str]) -> Iterator[Difference]:
    """Limits of namespaces are the coordinator's configuration, and may or may not be there."""
    needed, allowed = slots_of(run, number)
    subject = f"step {run.plan.steps[number].name!r}"
    for key in sorted(needed.difference(keys)):
        yield Difference(subject, f"slot of {key}", "held", "free", SLOTS)
    for key in sorted(set(keys) - allowed):
        yield Difference(subject, f"slot of {key}", "free", "held", SLOTS)


def slots_of(run: TaskRun, number: int) -> tuple[set[str], set[str]]:
    """The limits of which the step holds a slot, and those of which it may hold one."""
    plan = run.plan
    if run.steps[number].state not in BUSY:
        return set(), set()
    demand = demand_of(plan, number, run.context, {})
    needed = {limit.key for limit in demand.slots}
    return needed, {*needed, f"namespace:{plan.template.namespace}"}


def step_names(task_id: UUID, names: Collection[str]) -> dict[UUID, str]:
    """The names of steps by the ids that they have in the task."""
    return {step_id(task_id, name): name for name in names}


def by_step(rows: Collection[Row], names: Mapping[UUID, str]) -> dict[str, Row]:
    """Rows by the steps whose ids they have; what has the id of none is left out."""
    found = {names.get(row["step_id"]): row for row in rows}
    return {name: row for name, row in found.items() if name is not None}


def misplaced_rows(
    task_id: UUID, rows: Mapping[str, Collection[Row]], names: Collection[UUID]
) -> Iterator[Difference]:
    """Rows that say they are of the task and have the id of none of its steps."""
    for relation in ("queue", "timer", "waiting_step"):
        for row in rows.get(relation, ()):
            if row["task_id"] == task_id != row["step_id"] and row["step_id"] not in names:
                place = f"flowledger.{relation}"
                yield Difference(f"step {row['step']!r}", "step_id", "none", row["step_id"], place)
