"""The coordinator's decisions as pure functions of the run, the event that came, and the time.

`decide` looks at the state and not at the event, so it also finds what an earlier pass left open: a
ready step that is not queued, a failed attempt without a decision, a request without an answer, a
task that should have ended. Its events are applied to the run as they are made; an empty tuple says
that there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import chance
from flowledger.engine.domain.machine.decide_requests import answer_request, stop_steps
from flowledger.engine.domain.machine.decision_builder import DecisionBuilder
from flowledger.engine.domain.machine.evolve import NEW_STEP, Step
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
"""Seconds between two runs of a step that is released every time, if its policy is shorter."""

Decisions = tuple[TaskEvent, ...]
Admit = Callable[[TaskRun, int, datetime], Wait | None]
MayStart = Callable[[TaskRun, datetime], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What bounds the decisions beside the template. `lost_leases`: how many a step survives.
    `hand_backs`: how often in a row it is released before each further time counts as a failure.

    `admit` is asked before a step is queued that a limit or a circuit breaker concerns, and takes
    what the step needs where it does not hold it. Who is `defers_waiting` sees first whether room
    is made for held steps, and decides once more without patience before the task is said to wait.

    `may_start` is asked before a task begins whose time has come. Where it may not, nothing is
    decided, and whoever held it has it decided on again.
    """

    lost_leases: int
    hand_backs: int = 10
    admit: Admit | None = None
    may_start: MayStart | None = None
    defers_waiting: bool = False


def decide(run: TaskRun, cause: UUID, now: datetime, rules: Rules) -> Decisions:
    """Everything that the state of the run asks for, caused by the event of that id."""
    if not run.needs_decision:
        return ()
    build = DecisionBuilder(run, cause, now)
    for request in tuple(run.requests.values()):
        answer_request(build, request)
    if not run.ended:
        start(build, rules)
    for number in tuple(run.undecided):
        after_attempt(build, number, run.undecided[number], rules)
    if run.started and not run.ended:
        advance(build, rules)
    return tuple(build.events)


def start(build: DecisionBuilder, rules: Rules) -> None:
    """Take the task on, once its time has come and it may begin."""
    run = build.run
    if run.started or run.task.paused:
        return
    if run.start_at is None or run.start_at <= build.now:
        if rules.may_start is None or rules.may_start(run, build.now):
            build.task(TaskStarted, turn_since=run.turn_since)
    elif run.task.state is TaskState.PENDING:
        build.task(TaskWaiting, until=run.start_at)


def advance(build: DecisionBuilder, rules: Rules) -> None:
    """Queue what is ready, and say of the task what has become of it."""
    run = build.run
    if not run.task.paused:
        enqueue_ready(build, rules)
        if build.resumed:
            wake(build, rules)
    if not (run.active or run.ready or run.waiting):
        end(build)
    elif run.busy and run.task.state is TaskState.WAITING:
        build.task(TaskWaitEnded)
    elif run.task.state is TaskState.IN_PROGRESS and is_idle(run, rules):
        build.task(TaskWaiting, until=next_due(run))


def enqueue_ready(build: DecisionBuilder, rules: Rules) -> None:
    """Queue what is ready, also what becomes so as another is given up without an attempt."""
    seen: set[int] = set()
    while ready := sorted(build.run.ready - seen):
        for number in ready:
            enqueue(build, number, rules)
        seen.update(ready)


def is_idle(run: TaskRun, rules: Rules) -> bool:
    """Whether nothing of the task is queued or runs, nor will be before the transaction ends."""
    return not (run.busy or run.ready or (run.waiting and rules.defers_waiting))


def next_due(run: TaskRun) -> datetime | None:
    """When something of the task may go on by itself; None where something must happen first."""
    due = [due for number, (_, due) in run.timers.items() if number not in run.waiting]
    return min([*due, *(wait.until for wait in run.waiting.values() if wait.until)], default=None)


def wake(build: DecisionBuilder, rules: Rules) -> None:
    """Queue retries that fell due while the task was paused."""
    for number, (kind, due) in tuple(build.run.timers.items()):
        if kind == "retry" and due <= build.now and number not in build.run.waiting:
            enqueue(build, number, rules)


def enqueue(build: DecisionBuilder, number: int, rules: Rules) -> None:
    """Let a step run, unless its policy says that it never does, or a limit that it must wait."""
    run = build.run
    if run.plan.steps[number].retry.max_attempts == 0:
        build.step(StepFailed, number, reason="never", message="the policy allows no attempt")
        return
    if rules.admit is not None:
        wait = rules.admit(run, number, build.now)
        if wait is not None:
            if number in run.undecided:
                build.step(StepRetryScheduled, number, due_at=build.now)
            build.begin_wait(number, wait)
            return
    build.step(StepEnqueued, number, attempt=run.steps[number].attempt + 1)


def after_attempt(build: DecisionBuilder, number: int, event: StepEvent, rules: Rules) -> None:
    """What follows when an attempt ended without a result."""
    if build.run.ended or build.run.steps[number].cancelling:
        build.step(StepCancelled, number)
    elif isinstance(event, StepReleased):
        answer_hand_back(build, number, event, rules)
    elif isinstance(event, StepLeaseExpired):
        answer_lost_lease(build, number, rules)
    elif is_permanent(build, number, event):
        build.step(StepFailed, number, reason="permanent", message=reason_of(event))
    else:
        retry(build, number, event, rules)


def requeue(build: DecisionBuilder, number: int, rules: Rules) -> None:
    """Queue the step at once; where the task is paused, when it is resumed."""
    if build.run.task.paused:
        build.step(StepRetryScheduled, number, due_at=build.now)
    else:
        enqueue(build, number, rules)


def answer_hand_back(
    build: DecisionBuilder, number: int, event: StepReleased, rules: Rules
) -> None:
    """Once is nobody's fault. What comes back every time slows down, and counts in the end."""
    returned = build.run.steps[number].returned
    if returned > rules.hand_backs:
        retry(build, number, event, rules)
    else:
        after(build, number, rules, hand_back_pause(returned))


def hand_back_pause(returned: int) -> float:
    """Seconds until a step runs again that was released this often in a row (from 1)."""
    return min(2.0 ** (returned - 2), LONGEST_PAUSE) if returned > 1 else 0.0


def after(build: DecisionBuilder, number: int, rules: Rules, seconds: float) -> None:
    """Queue the step when so much time has passed."""
    if seconds <= 0:
        requeue(build, number, rules)
    else:
        build.step(StepRetryScheduled, number, due_at=build.now + timedelta(seconds=seconds))


def answer_lost_lease(build: DecisionBuilder, number: int, rules: Rules) -> None:
    """A step outlives a few workers; a handler that kills every worker does not go on for ever."""
    lost = build.run.steps[number].lost
    if lost > rules.lost_leases:
        message = f"{lost} workers went silent while they ran it"
        build.step(StepFailed, number, reason="lost_leases", message=message)
    else:
        requeue(build, number, rules)


def is_permanent(build: DecisionBuilder, number: int, event: StepEvent) -> bool:
    """Whether another attempt would be in vain, by the error or by the policy."""
    policy = build.run.plan.steps[number].retry
    if isinstance(event, StepAttemptFailed):
        return not policy.retries(event.error.category, retryable=event.error.retryable)
    return not policy.retries("timeout")


def retry(build: DecisionBuilder, number: int, event: StepEvent, rules: Rules) -> None:
    """Schedule the next attempt by the template's policy, or give up."""
    policy, step = build.run.plan.steps[number].retry, build.run.steps[number]
    failures = step.failures + max(0, step.returned - rules.hand_backs)
    if failures >= policy.max_attempts:
        message = f"failed {failures} of {policy.max_attempts} times: {reason_of(event, step)}"
        build.step(StepFailed, number, reason="exhausted", message=message)
        return
    asked = event.error.retry_after_seconds if isinstance(event, StepAttemptFailed) else None
    seconds = policy.delay(failures, chance(event.event_id), asked)
    after(build, number, rules, max(seconds, hand_back_pause(step.returned)))


def reason_of(event: StepEvent, step: Step = NEW_STEP) -> str:
    """The last failure in one sentence; the step is as it was after it."""
    if isinstance(event, StepAttemptFailed):
        return f"{event.error.error_class}: {event.error.message}"
    if isinstance(event, StepTimedOut):
        return f"ran longer than {event.timeout_seconds:g} s"
    if isinstance(event, StepReleased):
        return f"handed back {step.returned} times in a row, at last since {event.reason}"
    return type(event).__name__


def end(build: DecisionBuilder) -> None:
    """The one finaliser: nothing runs, waits or can become ready."""
    run = build.run
    if run.task.state is TaskState.WAITING:
        build.task(TaskWaitEnded)
    if run.errors:
        fail(build)
    elif run.cancelled:
        build.task(TaskCancelled)
    elif run.task.state is not TaskState.BLOCKED:
        build.task(TaskCompleted)


def fail(build: DecisionBuilder) -> None:
    """End the task in error, or have it wait for an operator where its template says so."""
    run = build.run
    if run.plan.template.on_failure == "fail":
        build.task(TaskFailed, failed_steps=run.failed_steps())
    elif run.task.state is not TaskState.BLOCKED:
        build.task(TaskBlocked, failed_steps=run.failed_steps())


def timer_fired(run: TaskRun, step: str, kind: str, now: datetime, rules: Rules) -> Decisions:
    """What follows from a timer that fired. Nothing, where the task or step has moved on.

    `step` is empty where the timer is the task's.
    """
    if not step:
        return task_timer_fired(run, kind, now, rules)
    number = run.plan.numbers[step]
    timer = run.timers.get(number)
    if timer is None or timer[0] != kind or timer[1] > now or number in run.waiting:
        return ()
    build = DecisionBuilder(run, run.causes[number], now)
    if kind == "timeout":
        seconds = run.plan.steps[number].timeout_seconds
        build.step(StepTimedOut, number, timeout_seconds=seconds)
    elif kind == "start_timeout":
        seconds = run.plan.steps[number].start_timeout_seconds
        message = f"no worker started it within {seconds:g} s"
        build.step(StepFailed, number, reason="start_timeout", message=message)
    elif not run.task.paused:
        enqueue(build, number, rules)
    return and_decide(build, rules)


def admitted(run: TaskRun, number: int, now: datetime, rules: Rules) -> Decisions:
    """What held the step is over. It is asked about again, where its task goes on."""
    run.release(number)
    build = DecisionBuilder(run, run.causes.get(number, run.last_event), now)
    timer = run.timers.get(number)
    if timer is not None and timer[0] == "retry" and not (run.ended or run.task.paused):
        enqueue(build, number, rules)
    return and_decide(build, rules)


def withdraw(run: TaskRun, number: int, now: datetime, rules: Rules) -> Decisions:
    """A queued step may have to wait now. Nothing, where it is not queued any more."""
    if run.steps[number].state is not StepState.ENQUEUED:
        return ()
    build = DecisionBuilder(run, run.causes[number], now)
    build.step(StepDequeued, number)
    return and_decide(build, rules)


def task_timer_fired(run: TaskRun, kind: str, now: datetime, rules: Rules) -> Decisions:
    """What follows from a timer of the task as a whole."""
    timer = run.timer
    if timer is None or timer[0] != kind or timer[1] > now:
        return ()
    if kind == "start":
        return decide(run, run.last_event, now, rules)
    build = DecisionBuilder(run, run.last_event, now)
    build.task(TaskTimedOut, deadline_at=timer[1])
    stop_steps(build)
    return tuple(build.events)


def lease_expired(
    run: TaskRun, number: int, worker: UUID | None, now: datetime, rules: Rules
) -> Decisions:
    """The worker that held the step went silent. Nothing, where the step is not running.

    Without a worker, nobody holds it: its row in the queue is gone.
    """
    if run.steps[number].state is not StepState.IN_PROGRESS:
        return ()
    build = DecisionBuilder(run, run.causes[number], now)
    build.step(StepLeaseExpired, number, worker=worker)
    return and_decide(build, rules)


def and_decide(build: DecisionBuilder, rules: Rules) -> Decisions:
    """The events of the round, and what follows from them."""
    cause = build.events[-1].event_id if build.events else build.cause
    return (*build.events, *decide(build.run, cause, build.now, rules))
