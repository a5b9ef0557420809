"""Which limits keep a ready step out of the queue, asked of the admission control itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from pydantic import JsonValue

from flowledger.engine.display_text import duration
from flowledger.engine.domain.explain.context import ExplainContext, behind, cause
from flowledger.engine.domain.explain.live_state import COUNTED, LiveState, WaitStatus
from flowledger.engine.domain.explain.reasons import Reason, ReasonKind
from flowledger.engine.domain.limits.admission import AdmissionControl, LimitState
from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from flowledger.engine.domain.machine.task_run import Wait
from flowledger.engine.events.base import Event, Placed
from flowledger.engine.events.circuit import CircuitOpened

KINDS = {
    "slot": ReasonKind.CONCURRENCY,
    "rate": ReasonKind.RATE_LIMIT,
    "circuit": ReasonKind.CIRCUIT_OPEN,
}


def held_back(
    scene: ExplainContext, beside: LiveState, number: int, held: WaitStatus
) -> Iterable[Reason]:
    """Everything that keeps the step from being queued now; its template's pause is the task's."""
    gate = AdmissionControl(scene.rules, _gate_state(scene, beside))
    holds = [hold for hold in gate.obstacles(held.demand, scene.now) if hold.kind != "template"]
    for hold in holds:
        yield _reason(scene, beside, number, held, hold)
    if holds or scene.template_paused is not None:
        return
    if held.before and held.kind in KINDS:
        wait = "waits" if held.before == 1 else "wait"
        sentence = f"{_begins(scene, held)} {counted(held.before)} {wait} for {held.key} before it"
        yield _made(number, scene, held, _after_those_before(scene, held), sentence)
    else:
        yield behind(
            scene,
            f"{_begins(scene, held)} it was asked about last: what held it is over,"
            " and a coordinator queues it next",
            scene.index.steps.get(held.step) or scene.index.task,
            number,
        )


def _after_those_before(scene: ExplainContext, held: WaitStatus) -> Wait:
    """What held the step is over, and those before it go first: of a rate, each at its time."""
    until = held.until
    for limit in held.demand.rates if held.kind == "rate" else ():
        if limit.key == held.key:
            until = scene.now + held.before * limit.interval
    return Wait(held.kind, held.key, until)


def as_the_log_knows(scene: ExplainContext, number: int) -> Iterable[Reason]:
    """What may hold a ready step, as of an earlier event."""
    plan = scene.run.plan
    system = plan.steps[number].system
    placed = scene.related_events.get(circuit_id(system)) if system is not None else None
    if placed is not None and isinstance(placed[1], CircuitOpened) and placed[1].until > scene.now:
        yield Reason(
            kind=ReasonKind.CIRCUIT_OPEN,
            sentence=f"is ready; the circuit of {system} was open,"
            f" to be tried {scene.until(placed[1].until)}",
            about=str(system),
            cause=cause(placed),
            earliest=placed[1].until,
            details={"system": system},
            steps=(scene.name(number),),
        )
    if number in plan.limited:
        yield Reason(
            kind=ReasonKind.UNRECORDED,
            sentence="is ready; it has limits, and whether they held it back is not in the log",
            cause=cause(scene.index.task),
            steps=(scene.name(number),),
        )


def counted(count: int) -> str:
    """A number of steps, which was counted up to a limit."""
    return f"{count} or more steps" if count >= COUNTED else f"{count} step{'s' * (count != 1)}"


def _gate_state(scene: ExplainContext, beside: LiveState) -> LimitState:
    paused = [scene.run.plan.template_id] if scene.template_paused else []
    limits = beside.limits
    return LimitState(
        in_use=limits.in_use,
        holders={},
        expected=limits.expected,
        circuits=limits.circuits,
        paused=frozenset(paused),
        waiters=(),
    )


def _reason(
    scene: ExplainContext, beside: LiveState, number: int, held: WaitStatus, hold: Wait
) -> Reason:
    made = partial(_made, number, scene, held, hold)
    begins = _begins(scene, held)
    if hold.kind == "slot":
        return _full(scene, beside, number, held, hold)
    if hold.kind == "rate":
        return _slow(number, scene, held, hold)
    until = f", asked again {scene.until(hold.until)}" if hold.until else ""
    how = "open" if hold.until and hold.until > scene.now else "half open, and tried by others"
    placed = scene.related_events.get(circuit_id(hold.key))
    return made(f"{begins} the circuit of {hold.key} is {how}{until}", placed=placed)


def _full(
    scene: ExplainContext, beside: LiveState, number: int, held: WaitStatus, hold: Wait
) -> Reason:
    most = next(limit.limit for limit in held.demand.slots if limit.key == hold.key)
    in_use = beside.limits.in_use.get(hold.key, most)
    holders = beside.limits.owners.get(hold.key, ())
    by = [f"{holder.step} of task {holder.task_id}" for holder in holders[:1]]
    if by and in_use > 1:
        by.append(f"{in_use - 1} more")
    slots, are = ("the one slot", "is") if most == 1 else (f"all {most} slots", "are")
    sentence = f"{_begins(scene, held)} {slots} of {hold.key} {are} taken"
    details: dict[str, JsonValue] = {
        "limit": most,
        "in_use": in_use,
        "holders": [
            {"task": str(h.task_id), "step": h.step, "worker": str(h.worker) if h.worker else None}
            for h in holders
        ],
    }
    first = scene.related_events.get(holders[0].step_id) if holders else None
    by_whom = f", by {' and '.join(by)}" if by else ""
    return _made(number, scene, held, hold, sentence + by_whom, placed=first, **details)


def _slow(number: int, scene: ExplainContext, held: WaitStatus, hold: Wait) -> Reason:
    """Of a rate: each step that waits before this one takes its interval first."""
    limit = next(limit for limit in held.demand.rates if limit.key == hold.key)
    first = held.before if (held.kind, held.key) == (hold.kind, hold.key) else 0
    own = hold._replace(until=None if hold.until is None else hold.until + first * limit.interval)
    wait = "waits" if first == 1 else "wait"
    before = f"; {counted(first)} {wait} before it" if first else ""
    until = f", asked again {scene.until(own.until)}" if own.until else ""
    sentence = f"{_begins(scene, held)} the rate of {hold.key} is used up{before}{until}"
    return _made(number, scene, held, own, sentence)


def _begins(scene: ExplainContext, held: WaitStatus) -> str:
    return f"is ready; held back for {duration(scene.now - held.since)}, since"


def _made(  # noqa: PLR0913 - all that a reason has
    number: int,
    scene: ExplainContext,
    held: WaitStatus,
    hold: Wait,
    sentence: str,
    *,
    placed: Placed[Event] | None = None,
    **details: JsonValue,
) -> Reason:
    return Reason(
        kind=KINDS[hold.kind],
        sentence=sentence,
        about=hold.key,
        cause=cause(placed),
        earliest=hold.until,
        details={
            "key": hold.key,
            "since": held.since.isoformat(),
            "before": held.before,
            **details,
        },
        steps=(scene.name(number),),
    )
