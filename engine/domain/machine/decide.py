"""What the coordinator decides. Pure: the state of a task, the event that came, and the time.

`decide` looks at the state and not at the event, so it also finds what an earlier round left open:
a ready step that is not queued, a failed attempt without an answer, a request that nobody answered,
a task that should have ended. Its events are applied to the run as they are made; an empty tuple
says that there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flowledger.engine.domain.ids import chance
from flowledger.engine.domain.machine.aggregates import NEW_STEP, Step
from flowledger.engine.domain.machine.decide_requests import answer_request, stop_steps
from flowledger.engine.domain.machine.decision_builder import DecisionBuilder
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepDequeued,
    StepEnqueued,
    StepFailed,
    StepLeaseExpired,
    StepReleased,
    StepRetryScheduled,
    StepTimedOut,
)
from flowledger.engine.events.task import (
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskStarted,
    TaskTimedOut,
    TaskWaitEnded,
    TaskWaiting,
)

LONGEST_PAUSE = 60.0
"""Seconds between two runs of a step that is handed back every time, if its policy is shorter."""

Decisions = tuple[TaskEvent, ...]
Admit = Callable[[TaskRun, int, datetime], Wait | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What bounds the decisions beside the template. `lost_leases`: how many a step survives.
    `hand_backs`: how often in a row it is handed back before each time more counts as a failure.

    `admit` is asked before a step is queued that a limit or a circuit breaker concerns, and takes
    what the step needs where it does not hold it. Who is `patient` sees first whether room is made
    for held steps, and decides once more without patience before the task is said to wait.
    """

    lost_leases: int
    hand_backs: int = 10
    admit: Admit | None = None
    patient: bool = False


def decide(run: TaskRun, cause: UUID, now: datetime, rules: Rules) -> Decisions:
    """Everything that the state of the run asks for, caused by the event of that id."""
    if not run.asks:
        return ()
    this = DecisionBuilder(run, cause, now)
    for request in tuple(run.requests.values()):
        answer_request(this, request)
    if not run.ended:
        start(this)
    for number in tuple(run.undecided):
        answer(this, number, run.undecided[number], rules)
    if run.started and not run.ended:
        go_on(this, rules)
    return tuple(this.made)


def start(this: DecisionBuilder) -> None:
    """Take the task on, once its time has come."""
    run = this.run
    if run.started or run.task.paused:
        return
    if run.start_at is None or run.start_at <= this.now:
        this.task(TaskStarted)
    elif run.task.state is TaskState.PENDING:
        this.task(TaskWaiting, until=run.start_at)


def go_on(this: DecisionBuilder, rules: Rules) -> None:
    """Queue what is ready, and say of the task what has become of it."""
    run = this.run
    if not run.task.paused:
        for number in sorted(run.ready):
            enqueue(this, number, rules)
        if this.resumed:
            wake(this, rules)
    if not (run.active or run.ready or run.held):
        end(this)
    elif run.busy and run.task.state is TaskState.WAITING:
        this.task(TaskWaitEnded)
    elif run.task.state is TaskState.IN_PROGRESS and rests(run, rules):
        this.task(TaskWaiting, until=next_due(run))


def rests(run: TaskRun, rules: Rules) -> bool:
    """Whether nothing of the task is queued or runs, nor will be before the transaction ends."""
    return not (run.busy or run.ready or (run.held and rules.patient))


def next_due(run: TaskRun) -> datetime | None:
    """When something of the task may go on by itself; None where something must happen first."""
    due = [due for number, (_, due) in run.timers.items() if number not in run.held]
    return min([*due, *(hold.until for hold in run.held.values() if hold.until)], default=None)


def wake(this: DecisionBuilder, rules: Rules) -> None:
    """Queue retries that fell due while the task was paused."""
    for number, (kind, due) in tuple(this.run.timers.items()):
        if kind == "retry" and due <= this.now and number not in this.run.held:
            enqueue(this, number, rules)


def enqueue(this: DecisionBuilder, number: int, rules: Rules) -> None:
    """Let a step run, unless its policy says that it never does, or a limit that it must wait."""
    run = this.run
    if run.plan.steps[number].retry.max_attempts == 0:
        this.step(StepFailed, number, reason="never", message="the policy allows no attempt")
        return
    if rules.admit is not None:
        hold = rules.admit(run, number, this.now)
        if hold is not None:
            if number in run.undecided:
                this.step(StepRetryScheduled, number, due_at=this.now)
            this.hold(number, hold)
            return
    this.step(StepEnqueued, number, attempt=run.steps[number].attempt + 1)


def answer(this: DecisionBuilder, number: int, event: StepEvent, rules: Rules) -> None:
    """What follows when an attempt ended without a result."""
    if this.run.ended or this.run.steps[number].cancelling:
        this.step(StepCancelled, number)
    elif isinstance(event, StepReleased):
        answer_hand_back(this, number, event, rules)
    elif isinstance(event, StepLeaseExpired):
        answer_lost_lease(this, number, rules)
    elif is_permanent(this, number, event):
        this.step(StepFailed, number, reason="permanent", message=reason_of(event))
    else:
        retry(this, number, event, rules)


def again(this: DecisionBuilder, number: int, rules: Rules) -> None:
    """Queue the step at once; where the task is paused, when it is resumed."""
    if this.run.task.paused:
        this.step(StepRetryScheduled, number, due_at=this.now)
    else:
        enqueue(this, number, rules)


def answer_hand_back(this: DecisionBuilder, number: int, event: StepReleased, rules: Rules) -> None:
    """Once is nobody's fault. What comes back every time slows down, and counts in the end."""
    returned = this.run.steps[number].returned
    if returned > rules.hand_backs:
        retry(this, number, event, rules)
    else:
        after(this, number, rules, hand_back_pause(returned))


def hand_back_pause(returned: int) -> float:
    """Seconds until a step runs that was handed back so often in a row (from 1)."""
    return min(2.0 ** (returned - 2), LONGEST_PAUSE) if returned > 1 else 0.0


def after(this: DecisionBuilder, number: int, rules: Rules, seconds: float) -> None:
    """Queue the step when so much time has passed."""
    if seconds <= 0:
        again(this, number, rules)
    else:
        this.step(StepRetryScheduled, number, due_at=this.now + timedelta(seconds=seconds))


def answer_lost_lease(this: DecisionBuilder, number: int, rules: Rules) -> None:
    """A step outlives a few workers; a handler that kills every worker does not go on for ever."""
    lost = this.run.steps[number].lost
    if lost > rules.lost_leases:
        message = f"{lost} workers went silent while they ran it"
        this.step(StepFailed, number, reason="lost_leases", message=message)
    else:
        again(this, number, rules)


def is_permanent(this: DecisionBuilder, number: int, event: StepEvent) -> bool:
    """Whether another attempt would be in vain, by the error or by the policy."""
    policy = this.run.plan.steps[number].retry
    if isinstance(event, StepAttemptFailed):
        return not policy.retries(event.error.category, retryable=event.error.retryable)
    return not policy.retries("timeout")


def retry(this: DecisionBuilder, number: int, event: StepEvent, rules: Rules) -> None:
    """Schedule the next attempt by the template's policy, or give up."""
    policy, step = this.run.plan.steps[number].retry, this.run.steps[number]
    failures = step.failures + max(0, step.returned - rules.hand_backs)
    if failures >= policy.max_attempts:
        message = f"failed {failures} of {policy.max_attempts} times: {reason_of(event, step)}"
        this.step(StepFailed, number, reason="exhausted", message=message)
        return
    asked = event.error.retry_after_seconds if isinstance(event, StepAttemptFailed) else None
    seconds = policy.delay(failures, chance(event.event_id), asked)
    after(this, number, rules, max(seconds, hand_back_pause(step.returned)))


def reason_of(event: StepEvent, step: Step = NEW_STEP) -> str:
    """The last failure in one sentence; the step is as it was after it."""
    if isinstance(event, StepAttemptFailed):
        return f"{event.error.error_class}: {event.error.message}"
    if isinstance(event, StepTimedOut):
        return f"ran longer than {event.timeout_seconds:g} s"
    if isinstance(event, StepReleased):
        return f"handed back {step.returned} times in a row, at last since {event.reason}"
    return type(event).__name__


def end(this: DecisionBuilder) -> None:
    """The one finaliser: nothing runs, waits or can become ready."""
    run = this.run
    if run.task.state is TaskState.WAITING:
        this.task(TaskWaitEnded)
    if run.errors:
        fail(this)
    elif run.cancelled:
        this.task(TaskCancelled)
    elif run.task.state is not TaskState.BLOCKED:
        this.task(TaskCompleted)


def fail(this: DecisionBuilder) -> None:
    """End the task in error, or have it wait for an operator where its template says so."""
    run = this.run
    if run.plan.template.on_failure == "fail":
        this.task(TaskFailed, failed_steps=run.failed_steps())
    elif run.task.state is not TaskState.BLOCKED:
        this.task(TaskBlocked, failed_steps=run.failed_steps())


def rung(run: TaskRun, step: str, kind: str, now: datetime, rules: Rules) -> Decisions:
    """What follows from a timer that rang. Nothing, where the task or step has moved on.

    `step` is empty where the timer is the task's.
    """
    if not step:
        return task_rung(run, kind, now, rules)
    number = run.plan.numbers[step]
    timer = run.timers.get(number)
    if timer is None or timer[0] != kind or timer[1] > now or number in run.held:
        return ()
    this = DecisionBuilder(run, run.causes[number], now)
    if kind == "timeout":
        seconds = run.plan.steps[number].timeout_seconds
        this.step(StepTimedOut, number, timeout_seconds=seconds)
    elif kind == "start_timeout":
        seconds = run.plan.steps[number].start_timeout_seconds
        message = f"no worker started it within {seconds:g} s"
        this.step(StepFailed, number, reason="start_timeout", message=message)
    elif not run.task.paused:
        enqueue(this, number, rules)
    return concluded(this, rules)


def admitted(run: TaskRun, number: int, now: datetime, rules: Rules) -> Decisions:
    """What held the step is over. It is asked about again, where its task goes on."""
    run.release(number)
    this = DecisionBuilder(run, run.causes.get(number, run.last_event), now)
    timer = run.timers.get(number)
    if timer is not None and timer[0] == "retry" and not (run.ended or run.task.paused):
        enqueue(this, number, rules)
    return concluded(this, rules)


def recalled(run: TaskRun, number: int, now: datetime, rules: Rules) -> Decisions:
    """A queued step may have to wait now. Nothing, where it is not queued any more."""
    if run.steps[number].state is not StepState.ENQUEUED:
        return ()
    this = DecisionBuilder(run, run.causes[number], now)
    this.step(StepDequeued, number)
    return concluded(this, rules)


def task_rung(run: TaskRun, kind: str, now: datetime, rules: Rules) -> Decisions:
    """What follows from a timer of the task as a whole."""
    timer = run.timer
    if timer is None or timer[0] != kind or timer[1] > now:
        return ()
    if kind == "start":
        return decide(run, run.last_event, now, rules)
    this = DecisionBuilder(run, run.last_event, now)
    this.task(TaskTimedOut, deadline_at=timer[1])
    stop_steps(this)
    return tuple(this.made)


def lease_expired(
    run: TaskRun, number: int, worker: UUID | None, now: datetime, rules: Rules
) -> Decisions:
    """The worker that held the step went silent. Nothing, where the step is not running.

    Without a worker, nobody holds it: its row in the queue is gone.
    """
    if run.steps[number].state is not StepState.IN_PROGRESS:
        return ()
    this = DecisionBuilder(run, run.causes[number], now)
    this.step(StepLeaseExpired, number, worker=worker)
    return concluded(this, rules)


def concluded(this: DecisionBuilder, rules: Rules) -> Decisions:
    """The events of the round, and what follows from them."""
    cause = this.made[-1].event_id if this.made else this.cause
    return (*this.made, *decide(this.run, cause, this.now, rules))
