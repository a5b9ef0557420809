"""Why a task as a whole does not go on, or how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue

from flowledger.engine.display_text import duration, on_one_line, some_of
from flowledger.engine.domain.event_text import actor_name, describe
from flowledger.engine.domain.explain.context import ExplainContext, cause, iso
from flowledger.engine.domain.explain.live_state import (
    COUNTED,
    LaggingProjection,
    LiveState,
    ShardStatus,
)
from flowledger.engine.domain.explain.reasons import Reason, ReasonKind, cause_of
from flowledger.engine.domain.limits.fair_turns import shown_key
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.base import Placed, TaskEvent

TRY_AGAIN = "`flowledger reset` tries again, `flowledger resolve` counts it as done"
REPAIR_SHARDS = "flowledger repair --all --reason WHY"
SETTLE = (
    "`flowledger step reset`, `resolve`, `complete` or `skip` settles a step;"
    " `flowledger fail` or `cancel` ends the task"
)


def task_reasons(scene: ExplainContext) -> list[Reason]:
    """Everything that is about the task as a whole, and not about single steps of it."""
    return [reason for find in FINDERS for reason in find(scene)]


def unread(scene: ExplainContext) -> list[Placed[TaskEvent]]:
    """The events of the task that ask for a decision and that its coordinator has not read."""
    if scene.live is None or scene.live.shard.missing:
        return []
    position = scene.live.shard.position
    return [placed for placed in scene.index.facts if placed[0] > position]


def projections_behind(scene: ExplainContext, last: int) -> Iterator[Reason]:
    """The projections that do not have the event at the position yet, by what keeps them."""
    standings: dict[str, list[LaggingProjection]] = {}
    for found in scene.live.projections if scene.live is not None else ():
        if found.position < last:
            standings.setdefault(found.standing, []).append(found)
    for standing, group in standings.items():
        names, first = [one.name for one in group], group[0]
        failure = f": {on_one_line(first.failure)}" if first.failure else ""
        subject = f"projection {names[0]}" if len(group) == 1 else f"projections {some_of(names)}"
        yield Reason(
            kind=ReasonKind.PROJECTION_BEHIND,
            sentence=f"not yet shown by {subject}, at {min(one.position for one in group)}"
            f" of {last}; {STANDINGS[standing][len(group) > 1]}{failure}",
            about=first.name,
            details={
                "projections": {one.name: one.position for one in group},
                "needed": last,
                "standing": standing,
                "failed_position": first.failed_position,
            },
        )


STANDINGS = {
    "running": ("it is on its way", "they are on their way"),
    "paused": ("paused, until `flowledger projections resume`",) * 2,
    "event_failed": ("an event failed", "an event of each failed"),
    "no_host": ("no process runs it", "no process runs them"),
}
"""Of one projection, and of several."""


def _ended(scene: ExplainContext) -> Iterator[Reason]:
    run, placed = scene.run, scene.index.task
    if not run.ended:
        return
    match run.task.state:
        case TaskState.ERROR:
            rest = TRY_AGAIN
        case TaskState.COMPLETE:
            rest = f"{_left_out(scene)}nothing is left to do"
        case TaskState.CANCELLED:
            rest = "nothing more of it starts; whoever still wants it submits it anew"
        case _:
            rest = "nothing more of it starts"
    said = f"{scene.what(placed[1])}; {rest}"
    if run.busy:
        said += f"; steps that still run: {run.busy}, and what comes of them is recorded"
    yield Reason(
        kind=ReasonKind.ENDED,
        sentence=said,
        cause=cause(placed),
        details={"state": run.task.state, "failed_steps": list(run.failed_steps())},
    )


def _left_out(scene: ExplainContext) -> str:
    """Of a task that is complete: the steps behind skipped ones, which never started."""
    obstacles = scene.obstacles()
    if not obstacles:
        return ""
    roots = sorted({*obstacles.values()})
    verb = "is" if len(roots) == 1 else "are"
    names = some_of(scene.name(number) for number in sorted(obstacles))
    return f"{names} did not start, since {some_of(map(scene.name, roots))} {verb} skipped; "


def parked_reasons(beside: LiveState | None, now: datetime) -> Iterator[Reason]:
    """That the coordinator leaves the task alone, where it does."""
    parked = beside.parked if beside is not None else None
    if parked is None:
        return
    again = (
        "it is about to be tried again"
        if parked.wanted
        else "`flowledger parked retry` tries it again"
    )
    yield Reason(
        kind=ReasonKind.PARKED,
        sentence=f"parked for {duration(now - parked.since)}, nothing is decided"
        f" about it: {on_one_line(parked.reason)}; when that is mended, {again}",
        earliest=now if parked.wanted else None,
        details={
            "reason": parked.reason,
            "since": parked.since.isoformat(),
            "tried_at": parked.tried_at.isoformat(),
        },
    )


def _parked(scene: ExplainContext) -> Iterator[Reason]:
    return parked_reasons(scene.live, scene.now)


def _blocked(scene: ExplainContext) -> Iterator[Reason]:
    placed = scene.index.task
    if scene.run.task.state is TaskState.BLOCKED:
        yield Reason(
            kind=ReasonKind.BLOCKED,
            sentence=f"{describe(placed[1])}; waits for an operator,"
            f" for {scene.age(placed[1])} now; {SETTLE}",
            cause=cause(placed),
            details={"failed_steps": list(scene.run.failed_steps())},
        )


def _paused(scene: ExplainContext) -> Iterator[Reason]:
    placed = scene.index.paused
    if scene.run.ended:
        return
    if scene.run.task.paused and placed is not None:
        yield Reason(
            kind=ReasonKind.PAUSED,
            sentence=f"paused {scene.by(placed[1])}; nothing starts until `flowledger resume`",
            about="task",
            cause=cause(placed),
            details={"paused": "task"},
        )
    template, key = scene.template_paused, scene.run.plan.template.key
    if template is not None:
        yield Reason(
            kind=ReasonKind.PAUSED,
            sentence=f"template {key} is paused {scene.by(template[1])};"
            " none of its steps is queued until `flowledger templates resume`",
            about=key,
            cause=cause(template),
            details={"paused": "template", "template": key},
        )


def _not_started(scene: ExplainContext) -> Iterator[Reason]:
    run, placed = scene.run, scene.index.task
    if run.started or run.ended:
        return
    if run.start_at is not None and (
        run.task.state is TaskState.WAITING or run.start_at > scene.now
    ):
        yield Reason(
            kind=ReasonKind.DELAYED_START,
            sentence=f"starts {scene.until(run.start_at)}",
            cause=cause(placed),
            earliest=run.start_at,
            details={"start_at": iso(run.start_at)},
        )
    elif scene.all_decided and scene.live is not None and scene.live.begin_before is not None:
        yield _waits_to_begin(scene, scene.live, scene.live.begin_before)
    else:
        takes, must_run = "takes it on next", "must run to take it on"
        next_step = f"a coordinator {must_run if scene.earliest_decision is None else takes}"
        yield Reason(
            kind=ReasonKind.SUBMITTED,
            sentence=f"submitted {scene.ago(placed[1])}; {next_step}",
            cause=cause(placed),
            earliest=scene.earliest_decision,
        )


def _waits_to_begin(scene: ExplainContext, beside: LiveState, before: int) -> Reason:
    key = scene.run.plan.template.key
    enough = f"while its workers have enough to do no further task of {key} begins"
    more = " or more" if before >= COUNTED else ""
    come = "comes" if before == 1 else "come"
    first = f", and {before}{more} {come} before it" if before else "; it is the next"
    key_turns, details = _turns(scene.run.fairness, beside.keys_in_turn)
    served = any(worker.serves is not False for worker in beside.workers)
    nobody = f"no worker of {key} takes what is queued of it"
    return Reason(
        kind=ReasonKind.WAITS_TO_BEGIN if served else ReasonKind.NO_WORKER,
        sentence=f"waits to begin for {scene.age(scene.index.task[1])}: "
        + (f"{enough}{first}{key_turns}" if served else nobody),
        about=key,
        cause=cause(scene.index.task),
        details={"before": before, "template": key, **details},
    )


def _turns(fairness: str | None, others: int | None) -> tuple[str, dict[str, JsonValue]]:
    """With whom a task takes turns, where it does."""
    if fairness is None or others is None:
        return "", {}
    more = " or more" if others >= COUNTED else ""
    keys = f"{others}{more} other key{'s' * (others != 1)}" if others else "no other key"
    value = shown_key(fairness)
    return f" of those of {value!r}, which take turns with {keys}", {
        "fairness_key": value,
        "keys": others,
    }


def _asked(scene: ExplainContext) -> Iterator[Reason]:
    """What operators asked for and nobody has answered."""
    places = {event.event_id: position for position, event in scene.index.facts}
    parked = scene.live is not None and scene.live.parked is not None
    tail = "nothing is answered while it is parked" if parked else "a coordinator answers next"
    for request in scene.run.requests.values():
        asked = f"{actor_name(request.actor)} {describe(request)}"
        yield Reason(
            kind=ReasonKind.COORDINATOR_BEHIND,
            sentence=f"{asked}; {tail}",
            cause=cause_of(places[request.event_id], request),
            earliest=None if parked else scene.earliest_decision,
            details={"request": str(request.originator_id), "step": getattr(request, "step", None)},
        )


def _unread(scene: ExplainContext) -> Iterator[Reason]:
    waiting = unread(scene)
    if waiting and scene.live is not None and scene.run.started:
        first, plural = waiting[0], len(waiting) != 1
        yield Reason(
            kind=ReasonKind.COORDINATOR_BEHIND,
            sentence=f"{len(waiting)} event{'s wait' if plural else ' waits'}"
            f" for a coordinator to read {'them' if plural else 'it'}",
            cause=cause(first),
            earliest=scene.earliest_decision,
            details={"position": scene.live.shard.position, "needed": waiting[-1][0]},
        )


def _leaderless(scene: ExplainContext) -> Iterator[Reason]:
    beside = scene.live
    if beside is None or beside.shard.reads:
        return
    if not scene.run.ended or scene.run.requests:
        yield _nobody_leads(scene, beside)


class Obstacle(NamedTuple):
    """What keeps every coordinator from going on with a shard, and the command about it."""

    sentence: str
    command: str


def obstacle(shard: ShardStatus) -> Obstacle | None:
    """What no coordinator can do anything about; None where one only has to run."""
    if shard.missing:
        gone = f"the row of shard {shard.shard} is gone, and `{REPAIR_SHARDS}` makes it again"
        return Obstacle(gone, REPAIR_SHARDS)
    if shard.beyond:
        ends = f"shard {shard.shard} stands at position {shard.position}, and the log ends at"
        return Obstacle(f"{ends} {shard.head}: `{REPAIR_SHARDS}` sets it right", REPAIR_SHARDS)
    if shard.read_only and shard.leader is None:
        return Obstacle("the database is read-only, so that nobody can lead", "flowledger health")
    return None


def _nobody_leads(scene: ExplainContext, beside: LiveState) -> Reason:
    shard = beside.shard
    since = shard.lease_until
    last = f", since {duration(scene.now - since)}" if since is not None else ""
    stopped = obstacle(shard)
    return Reason(
        kind=ReasonKind.COORDINATOR_BEHIND,
        sentence=f"{stopped.sentence}; nothing is decided until then"
        if stopped is not None
        else f"no coordinator leads shard {shard.shard}{last}; nothing is decided until one does",
        about=f"shard {shard.shard}",
        details={
            "shard": shard.shard,
            "position": shard.position,
            "head": shard.head,
            "leader": None if shard.leader is None else str(shard.leader),
            "since": iso(since),
        },
    )


def _deadline(scene: ExplainContext) -> Iterator[Reason]:
    at = scene.run.deadline_at
    if at is not None and not scene.run.ended:
        yield Reason(
            kind=ReasonKind.DEADLINE,
            sentence=f"must have ended {scene.until(at)}",
            earliest=at,
            details={"deadline_at": iso(at)},
        )


def _projections(scene: ExplainContext) -> Iterator[Reason]:
    yield from projections_behind(scene, scene.index.last)


FINDERS: tuple[Callable[[ExplainContext], Iterator[Reason]], ...] = (
    _ended,
    _parked,
    _blocked,
    _paused,
    _not_started,
    _leaderless,
    _asked,
    _unread,
    _deadline,
    _projections,
)

HOLDS_BACK = {
    ReasonKind.BLOCKED,
    ReasonKind.PAUSED,
    ReasonKind.SUBMITTED,
    ReasonKind.DELAYED_START,
    ReasonKind.WAITS_TO_BEGIN,
    ReasonKind.NO_WORKER,
}
"""What keeps steps from starting, and says nothing of those that are queued or run."""

STARTS_LATER = (StepState.PENDING, StepState.WAITING_FOR_RETRY)


def concerns(scene: ExplainContext, reason: Reason, number: int) -> bool:
    """Whether what is about the task as a whole is a reason of this unfinished step."""
    if reason.kind is ReasonKind.PARKED:
        return True
    if reason.kind in HOLDS_BACK:
        return scene.run.steps[number].state in STARTS_LATER
    if reason.kind is ReasonKind.COORDINATOR_BEHIND:
        if "request" in reason.details:
            return reason.details["step"] in {None, scene.name(number)}
        return "leader" in reason.details
    return reason.kind is ReasonKind.DEADLINE
