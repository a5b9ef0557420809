"""Why one step does not run, by its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from pydantic import JsonValue

from flowledger.engine import events as happened
from flowledger.engine.display_text import duration, listed, on_one_line, some_of
from flowledger.engine.domain.event_text import STATE_LABELS, actor_name, describe
from flowledger.engine.domain.explain.context import ExplainContext, behind, cause, iso
from flowledger.engine.domain.explain.limit_reasons import as_the_log_knows, counted, held_back
from flowledger.engine.domain.explain.live_state import LiveState, QueueStatus, WorkerStatus
from flowledger.engine.domain.explain.never_started import behind_skipped, not_started
from flowledger.engine.domain.explain.reasons import Reason, ReasonKind
from flowledger.engine.domain.machine.transitions import StepState

NAMESAKES_TOLD = 5
Details = Mapping[str, JsonValue]
UNREGISTERED = (
    "{key} has no row in flowledger.template any more, and no worker takes steps of it;"
    " a worker of it that is started registers it again"
)


def step_reasons(scene: ExplainContext, number: int, obstacles: Mapping[int, int]) -> list[Reason]:
    """What the step itself tells; what keeps its whole task from going on comes beside it."""
    told = BY_STATE.get(scene.run.steps[number].state, _ended)
    if told is _pending and number in obstacles:
        return [_never(scene, number, obstacles[number])]
    return list(told(scene, number))


def dependency(scene: ExplainContext, number: int, parent: int) -> Reason:
    """A dependency has not ended."""
    name, state = scene.name(parent), scene.run.steps[parent].state
    placed = scene.index.steps.get(name)
    return Reason(
        kind=ReasonKind.DEPENDENCY,
        sentence=f"waits for {name}, which is {STATE_LABELS[state]}{_early(scene, parent)}",
        about=name,
        cause=cause(placed),
        details={"dependency": name, "state": state},
        steps=(scene.name(number),),
    )


def _early(scene: ExplainContext, parent: int) -> str:
    """Of a dependency that an operator settled: that it still waits for some of its own."""
    if not scene.satisfies(parent):
        return ""
    own = [scene.name(n) for n in scene.run.unended_before(parent)]
    return f" before {listed(own)}, on which it depends"


SETTLED: Mapping[StepState, str] = MappingProxyType(
    {
        StepState.ERROR: "; an operator resets that step, or says how it was settled",
        StepState.CANCELLED: "; an operator resets that step",
        StepState.SKIPPED: ", and the template lets nothing go on after that; an operator says how"
        " this step was settled, or ends the task",
    }
)
"""Who must do what about a step whose end lets nothing go on."""


def _never(scene: ExplainContext, number: int, root: int) -> Reason:
    name, state = scene.name(root), scene.run.steps[root].state
    if scene.run.ended:
        return not_started(scene, number, root)
    return Reason(
        kind=ReasonKind.DEPENDENCY_FAILED,
        sentence=f"does not start, since {name} is {STATE_LABELS[state]}{SETTLED[state]}",
        about=name,
        cause=cause(scene.last(root)),
        details={"dependency": name, "state": state},
        steps=(scene.name(number),),
    )


def _pending(scene: ExplainContext, number: int) -> Iterable[Reason]:
    if scene.run.ended:
        return [not_started(scene, number, None)]
    parents = scene.waits_for(number)
    if parents:
        return [dependency(scene, number, parent) for parent in parents]
    if not scene.run.started:
        return []  # what the task as a whole waits for says it
    return _ready(scene, number)


def _ready(scene: ExplainContext, number: int) -> Iterable[Reason]:
    paused = scene.run.task.paused or scene.template_paused is not None
    if scene.live is None:
        found = list(as_the_log_knows(scene, number))
    else:
        held = scene.live.waiting.get(scene.name(number))
        found = list(held_back(scene, scene.live, number, held)) if held else []
    if found or paused:
        return found
    trigger = _trigger(scene, number)
    if scene.all_decided:
        return [_row_missing(scene, number, trigger)]
    return [behind(scene, "is ready; a coordinator queues it next", trigger, number)]


def _row_missing(
    scene: ExplainContext, number: int, trigger: tuple[int, happened.TaskEvent]
) -> Reason:
    """All is decided, and neither the queue nor a limit has the step: a row of it is lost."""
    return Reason(
        kind=ReasonKind.ROW_MISSING,
        sentence="is ready, and its row in flowledger.waiting_step is missing, by which a"
        " coordinator would come to it",
        about="flowledger.waiting_step",
        cause=cause(trigger),
        steps=(scene.name(number),),
    )


def _trigger(scene: ExplainContext, number: int) -> tuple[int, happened.TaskEvent]:
    """What made the step ready: the last of its own, of its dependencies or of its task."""
    names = [scene.name(n) for n in (number, *scene.run.plan.parents[number])]
    found = [scene.index.steps[name] for name in names if name in scene.index.steps]
    return max(found, default=scene.index.task, key=lambda placed: placed[0])


def _waiting(scene: ExplainContext, number: int) -> Iterable[Reason]:
    run, name = scene.run, scene.name(number)
    failure = scene.index.failure(name)
    what = describe(failure[1]) if failure else "ended without a result"
    timer = run.timers.get(number)
    if timer is None:
        said = f"{what}; a coordinator decides what follows"
        return [behind(scene, said, scene.last(number), number)]
    due = timer[1] <= scene.now
    held = scene.live.waiting.get(name) if scene.live is not None and due else None
    if scene.live is not None and held is not None:
        return held_back(scene, scene.live, number, held)
    step, tries = run.steps[number], run.plan.steps[number].retry.max_attempts
    left = f"{tries - step.failures} of {tries} tries left"
    return [
        Reason(
            kind=ReasonKind.RETRY,
            sentence=f"{what}; attempt {step.attempt + 1} {scene.until(timer[1])},"
            f" {'once the task is resumed' if run.task.paused else left}",
            cause=cause(scene.last(number)),
            earliest=timer[1],
            details={
                "attempt": step.attempt + 1,
                "due_at": iso(timer[1]),
                "tries_left": tries - step.failures,
                "failed": str(failure[1].event_id) if failure else None,
            },
            steps=(name,),
        )
    ]


def _enqueued(scene: ExplainContext, number: int) -> Iterable[Reason]:
    placed, name = scene.last(number), scene.name(number)
    attempt = scene.run.steps[number].attempt + 1
    said = f"queued {scene.ago(placed[1])}, for attempt {attempt}"
    row = scene.live.queue.get(name) if scene.live is not None else None
    if scene.live is not None and row is None:
        again = f"{said}; its row in the queue is gone, and a coordinator makes it anew"
        return [behind(scene, again, placed, number)]
    kind, standing, details = _taken_by(scene, scene.live, row)
    slowed, by = _slowed_by(scene.live, row)
    return [
        Reason(
            kind=kind,
            sentence=f"{said}; {standing}{_timer(scene, number)}{slowed}",
            about=scene.run.plan.template.key,
            cause=cause(placed),
            details={**details, "attempt": attempt, **_timer_details(scene, number), **by},
            steps=(name,),
        )
    ]


def _slowed_by(beside: LiveState | None, row: QueueStatus | None) -> tuple[str, Details]:
    """Whose open transaction slows down the claims of all workers."""
    if beside is None or row is None or row.before is None or not beside.open_sessions:
        return "", {}
    first, *others = beside.open_sessions
    more = f" and {len(others)} more" if others else ""
    whose = f"a session of {actor_name(first.login)}, process {first.pid}"
    return (
        f"; claims are slowed down by {whose}, open for {duration(first.open_for)}{more}",
        {"open_sessions": [one.pid for one in beside.open_sessions]},
    )


def _taken_by(
    scene: ExplainContext, beside: LiveState | None, row: QueueStatus | None
) -> tuple[ReasonKind, str, Details]:
    """Who may take a queued step: nobody, nobody now, or who comes to it."""
    key = scene.run.plan.template.key
    next_one = f"a worker of {key} takes it next"
    if beside is None or row is None:
        return ReasonKind.QUEUED, next_one, {}
    serving = [worker for worker in beside.workers if worker.serves is not False]
    if not beside.registered:
        return ReasonKind.NO_WORKER, UNREGISTERED.format(key=key), {"template": key}
    able = [worker for worker in serving if worker.condition != "stuck"]
    details: Details = {
        "template": key,
        "before": row.before,
        "workers": [_worker_details(worker) for worker in serving],
        "workers_of_others": len(beside.workers) - len(serving),
    }
    if not able:
        if any(worker.excluded for worker in beside.workers):
            excluded = [worker for worker in beside.workers if worker.excluded]
            details = {**details, "excluded": [_worker_details(worker) for worker in excluded]}
        return ReasonKind.NO_WORKER, _nobody(key, serving, beside.workers), details
    if row.exclusive and not any(w.condition == "isolated" and not w.running for w in able):
        exclusive = "workers were lost with it, so it is to run alone; a worker is set apart for it"
        return ReasonKind.WORKER_BUSY, exclusive, {**details, "exclusive": True}
    if all(worker.full for worker in able):
        return ReasonKind.WORKER_BUSY, _full(able, row), details
    if row.more:
        behind_some = f", {row.before} or more of which these workers take first"
        next_one = f"thousands come before it in the queue{behind_some if row.before else ''}"
    elif row.before:
        come = "comes" if row.before == 1 else "come"
        next_one = f"{counted(row.before)} {come} before it"
    return ReasonKind.QUEUED, next_one, details


def _nobody(key: str, serving: Sequence[WorkerStatus], workers: Sequence[WorkerStatus]) -> str:
    if serving:
        return (
            f"all workers of {key} are stuck, as handlers that were given up take their places:"
            " start them anew"
        )
    excluded = [f"process {one.pid} on {one.host}" for one in workers if one.excluded]
    if excluded:
        one = len(excluded) == 1
        namespace = key.partition("/")[0]
        return (
            f"no worker of {key} takes it: {some_of(excluded)} {'has' if one else 'have'} its code,"
            f" and {'its' if one else 'their'} worker.namespaces does not name {namespace!r}"
        )
    elsewhere = sorted({one for worker in workers for one in worker.namesakes})
    if elsewhere:
        return (
            f"no worker of {key} runs; those that run have it in another namespace or version:"
            f" {listed(elsewhere, NAMESAKES_TOLD)}"
        )
    one = len(workers) == 1
    others = f"{len(workers)} worker{'' if one else 's'} of other templates run{'s' * one}"
    return f"no worker of {key} runs{f'; {others}' if workers else ''}"


def _full(able: Sequence[WorkerStatus], row: QueueStatus) -> str:
    places = sum(worker.concurrency or 0 for worker in able)
    taken = "its one place" if places == 1 else f"all {places} places"
    who = "the only worker has" if len(able) == 1 else f"all {len(able)} workers have"
    come = "comes" if row.before == 1 else "come"
    before = f"; {counted(row.before)} {come} first" if row.before else ""
    return f"{who} {taken} taken{before}"


def _worker_details(worker: WorkerStatus) -> dict[str, JsonValue]:
    return {
        "worker": str(worker.worker),
        "host": worker.host,
        "pid": worker.pid,
        "seen_at": iso(worker.seen_at),
        "condition": worker.condition,
        "concurrency": worker.concurrency,
        "running": worker.running,
    }


def _running(scene: ExplainContext, number: int) -> Iterable[Reason]:
    name, step = scene.name(number), scene.run.steps[number]
    placed = scene.index.kinds[name, happened.StepStarted]
    worker = getattr(placed[1], "worker", None)
    said = f"attempt {step.attempt} began {scene.ago(placed[1])} on worker {str(worker)[-6:]}"
    details: Details = {
        "attempt": step.attempt,
        "worker": str(worker),
        "cancelling": step.cancelling,
        **_timer_details(scene, number),
    }
    kind, where, more = _held_by(scene, name)
    if step.cancelling:
        signal = scene.index.kinds[name, happened.StepCancelSignalled][1]
        tail = f"; told to stop {scene.by(signal)}"
    else:
        lost = f"; workers lost with it before: {step.lost}" if step.lost else ""
        tail = f"{_timer(scene, number)}{lost}"
    return [
        Reason(
            kind=kind,
            sentence=f"{said}{where}{tail}",
            about=str(worker),
            cause=cause(placed),
            earliest=scene.earliest_decision if kind is ReasonKind.LEASE_LOST else None,
            details={**details, **more},
            steps=(name,),
        )
    ]


def _held_by(scene: ExplainContext, name: str) -> tuple[ReasonKind, str, Details]:
    """Whether the lease on a running step stands, and where its worker is."""
    if scene.live is None:
        return ReasonKind.RUNNING, "", {}
    row = scene.live.queue.get(name)
    if row is None or row.worker is None or row.lease_until is None:
        gone = ", which nobody knows any more; a coordinator takes the step back"
        return ReasonKind.LEASE_LOST, gone, {"lease_until": None}
    details: Details = {
        "host": row.host,
        "pid": row.pid,
        "seen_at": iso(row.seen_at),
        "lease_until": iso(row.lease_until),
        "heartbeat_at": iso(row.heartbeat_at),
    }
    seen = f", last seen {scene.since(row.seen_at)}" if row.seen_at else ""
    where = f" ({row.host}, process {row.pid}{seen})"
    if row.lease_until <= scene.now:
        return (
            ReasonKind.LEASE_LOST,
            f"{where}, whose lease has run out; a coordinator takes the step back",
            details,
        )
    return ReasonKind.RUNNING, where, details


def _ended(scene: ExplainContext, number: int) -> Iterable[Reason]:
    placed, state = scene.last(number), scene.run.steps[number].state
    return [
        Reason(
            kind=ReasonKind.ENDED,
            sentence=_end_of(scene, number, placed[1]),
            cause=cause(placed),
            details={"state": state, **_error_details(placed[1])},
            steps=(scene.name(number),),
        )
    ]


def _end_of(scene: ExplainContext, number: int, last: happened.TaskEvent) -> str:
    if isinstance(last, happened.StepCompleted):
        return f"done, at attempt {last.attempt}"
    if isinstance(last, happened.StepFailed):
        return f"given up ({last.reason.replace('_', ' ')}): {on_one_line(last.message)}"
    said = scene.what(last)
    if scene.run.steps[number].state is StepState.SKIPPED and not scene.satisfies(number):
        return f"{said}; what depends on it {behind_skipped(scene)}"
    return said


def _error_details(last: happened.TaskEvent) -> Details:
    if isinstance(last, happened.StepFailed):
        return {"reason": last.reason, "message": last.message}
    return {}


def _timer(scene: ExplainContext, number: int) -> str:
    timer = scene.run.timers.get(number)
    return f"; times out {scene.until(timer[1])}" if timer else ""


def _timer_details(scene: ExplainContext, number: int) -> Details:
    timer = scene.run.timers.get(number)
    return {f"{timer[0]}_at": iso(timer[1])} if timer else {}


BY_STATE: Mapping[StepState, Callable[[ExplainContext, int], Iterable[Reason]]] = MappingProxyType(
    {
        StepState.PENDING: _pending,
        StepState.ENQUEUED: _enqueued,
        StepState.IN_PROGRESS: _running,
        StepState.WAITING_FOR_RETRY: _waiting,
    }
)
