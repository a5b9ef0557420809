"""What became of a task and of each of its steps, and what happens next, in sentences.

Pure: the task as it was folded, its history, what is held back, and the time. Where somebody must
act, the sentence says who and names the command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from flowledger.engine.domain import events as happened
from flowledger.engine.domain.event import StepEvent, TaskEvent
from flowledger.engine.domain.requests import ANSWERS, TaskRequest
from flowledger.engine.domain.rows import HeldRow
from flowledger.engine.domain.run import Run
from flowledger.engine.domain.states import DONE, STEP_ENDS, StepState, TaskState
from flowledger.engine.domain.words import (
    STANDS,
    duration,
    moment,
    on_one_line,
    what_happened,
)

FAILURES = (
    happened.StepFailed,
    happened.StepTimedOut,
    happened.StepLeaseExpired,
    happened.StepHandedBack,
)
HOLDS: Mapping[str, str] = MappingProxyType(
    {
        "slot": "all slots of {key} are taken",
        "rate": "the rate of {key} is used up",
        "circuit": "the circuit of {key} is open",
        "template": "template {key} is paused",
    }
)
TRY_AGAIN = "`flowledger reset` tries again, `flowledger resolve` counts it as done"


@dataclass(frozen=True, slots=True)
class Marks:
    """The events of a history that sentences are about.

    The last one about the task as a whole, the last pause, and of each step the last one and the
    last one of each kind.
    """

    task: TaskEvent
    paused: TaskEvent | None
    steps: Mapping[str, StepEvent]
    kinds: Mapping[tuple[str, type[StepEvent]], StepEvent]

    def failure(self, step: str) -> StepEvent | None:
        """How the last attempt of the step ended that had no result."""
        found = [self.kinds[step, kind] for kind in FAILURES if (step, kind) in self.kinds]
        return max(found, key=lambda event: event.originator_version, default=None)


def marks(history: Sequence[TaskEvent]) -> Marks:
    """Find them. The history is a task's, with at least its creation."""
    task, paused = history[0], None
    steps: dict[str, StepEvent] = {}
    kinds: dict[tuple[str, type[StepEvent]], StepEvent] = {}
    for event in history:
        if isinstance(event, StepEvent):
            steps[event.step] = kinds[event.step, type(event)] = event
        elif isinstance(event, happened.TaskPaused):
            paused = event
        elif not isinstance(event, (TaskRequest, *ANSWERS, happened.TaskResumed)):
            task = event
    return Marks(task, paused, steps, kinds)


class Outlook:
    """Sentences about one task at one time. `held` has what holds steps back, by their names."""

    def __init__(self, run: Run, found: Marks, held: Mapping[str, HeldRow], now: datetime) -> None:
        self._run = run
        self._marks = found
        self._held = held
        self._now = now
        self._in_the_way = self._obstacles()

    def task(self) -> list[str]:
        """What became of the task, and what happens next."""
        run = self._run
        said = list(self._of_state())
        if run.task.paused and not run.ended and self._marks.paused is not None:
            by = self._by(self._marks.paused)
            said.append(f"paused {by}; nothing starts until `flowledger resume`")
        if run.deadline_at is not None and not run.ended:
            said.append(f"must have ended {self._in(run.deadline_at)}")
        said += [
            f"{request.actor} {what_happened(request)}; a coordinator answers next"
            for request in run.requests.values()
        ]
        return said

    def step(self, name: str) -> str:
        """What became of a step, and what happens next."""
        number = self._run.plan.numbers[name]
        match self._run.steps[number].state:
            case StepState.PENDING:
                return self._pending(number)
            case StepState.ENQUEUED:
                return self._enqueued(number)
            case StepState.IN_PROGRESS:
                return self._running(number)
            case StepState.WAITING_FOR_RETRY:
                return self._waiting(number)
            case _:
                return self._ended(number)

    def _of_state(self) -> Iterator[str]:
        run, last = self._run, self._marks.task
        match run.task.state:
            case TaskState.SUBMITTED | TaskState.PENDING:
                yield f"submitted {self._ago(last)}; a coordinator takes it on next"
            case TaskState.IN_PROGRESS:
                yield self._counts()
            case TaskState.WAITING:
                yield self._waits()
            case TaskState.BLOCKED:
                yield f"{what_happened(last)}; waits for an operator, for {self._age(last)} now"
                yield (
                    "`flowledger step reset`, `resolve`, `complete` or `skip` settles a step;"
                    " `flowledger fail` or `cancel` ends the task"
                )
            case TaskState.ERROR:
                yield f"{self._what(last)}; {TRY_AGAIN}"
            case TaskState.COMPLETE:
                yield f"{self._counts()}; nothing is left to do"
            case TaskState.CANCELLED | TaskState.RESOLVED_MANUALLY:
                yield f"{self._what(last)}; nothing more of it starts"
        if run.ended and run.busy:
            yield f"steps that still run: {run.busy}; what comes of them is recorded"

    def _counts(self) -> str:
        states = [step.state for step in self._run.steps]
        done = sum(state in STEP_ENDS for state in states)
        counts = f"{done} of {len(states)} steps have ended"
        for state, word in ((StepState.IN_PROGRESS, "running"), (StepState.ENQUEUED, "queued")):
            if states.count(state):
                counts += f", {states.count(state)} {word}"
        return counts

    def _waits(self) -> str:
        run = self._run
        if not run.started and run.start_at is not None:
            return f"starts {self._in(run.start_at)}"
        due = min((at for _, at in run.timers.values()), default=None)
        if due is not None:
            return f"{self._counts()}; goes on {self._in(due)}"
        held = next(iter(self._held.values()), None)
        return f"{self._counts()}; {self._hold(held) if held else 'nothing may start now'}"

    def _pending(self, number: int) -> str:
        run = self._run
        if run.ended:
            return "did not start before the task ended"
        if number in self._in_the_way:
            return f"does not start, since {self._in_the_way[number]}"
        parents = [self._name(n) for n in run.plan.parents[number] if not self._satisfies(n)]
        if parents:
            return f"waits for {', '.join(parents)}"
        if run.task.paused:
            return "is ready; starts when the task is resumed"
        held = self._held.get(self._name(number))
        if held is not None:
            return f"is ready; {self._hold(held)}"
        return "is ready; is queued next" if run.started else "starts with the task"

    def _enqueued(self, number: int) -> str:
        step, template = self._run.steps[number], self._run.plan.template
        queued = f"queued {self._ago(self._last(number))}, for attempt {step.attempt + 1}"
        return f"{queued}; a worker of {template.key} takes it next{self._timer(number)}"

    def _running(self, number: int) -> str:
        step, name = self._run.steps[number], self._name(number)
        started = self._marks.kinds[name, happened.StepStarted]
        worker = str(getattr(started, "worker", ""))[-6:]
        runs = f"attempt {step.attempt} began {self._ago(started)} on worker {worker}"
        if step.cancelling:
            signal = self._marks.kinds[name, happened.StepCancelSignalled]
            return f"{runs}; told to stop {self._by(signal)}"
        lost = f"; workers lost with it before: {step.lost}" if step.lost else ""
        return f"{runs}{self._timer(number)}{lost}"

    def _waiting(self, number: int) -> str:
        run = self._run
        failure = self._marks.failure(self._name(number))
        what = what_happened(failure) if failure else "ended without a result"
        timer = run.timers.get(number)
        if timer is None:
            return f"{what}; a coordinator decides what follows"
        attempt = f"{what}; attempt {run.steps[number].attempt + 1} {self._in(timer[1])}"
        if run.task.paused:
            return f"{attempt}, once the task is resumed"
        tries = run.plan.steps[number].retry.max_attempts
        return f"{attempt}, {tries - run.steps[number].failures} of {tries} tries left"

    def _ended(self, number: int) -> str:
        run, last = self._run, self._last(number)
        said = self._what(last)
        match run.steps[number].state:
            case StepState.COMPLETE if isinstance(last, happened.StepCompleted):
                return f"done, at attempt {last.attempt}"
            case StepState.ERROR if isinstance(last, happened.StepErrored):
                return f"given up ({last.reason.replace('_', ' ')}): {on_one_line(last.message)}"
            case StepState.SKIPPED if not self._satisfies(number):
                return f"{said}; what depends on it does not start"
            case _:
                return said

    def _satisfies(self, number: int) -> bool:
        state = self._run.steps[number].state
        skipped = state is StepState.SKIPPED
        return state in DONE or (
            skipped and self._run.plan.steps[number].when_skipped == "continue"
        )

    def _obstacles(self) -> dict[int, str]:
        """The steps that do not start, and the step before each whose end does not let it."""
        plan, found = self._run.plan, dict[int, str]()
        stack: list[tuple[int, str]] = []
        for number, step in enumerate(self._run.steps):
            if step.state in STEP_ENDS and not self._satisfies(number):
                stack.append((number, f"{self._name(number)} is {STANDS[step.state]}"))
        while stack:
            number, why = stack.pop()
            for child in plan.children[number]:
                if child not in found and self._run.steps[child].state is StepState.PENDING:
                    found[child] = why
                    stack.append((child, why))
        return found

    def _name(self, number: int) -> str:
        return self._run.plan.steps[number].name

    def _last(self, number: int) -> StepEvent:
        return self._marks.steps[self._name(number)]

    def _hold(self, held: HeldRow) -> str:
        why = HOLDS[held.kind].format(key=held.limit_key)
        until = f", asked again {self._in(held.until)}" if held.until else ""
        return f"held back for {duration(self._now - held.since)}, since {why}{until}"

    def _timer(self, number: int) -> str:
        timer = self._run.timers.get(number)
        return f"; times out {self._in(timer[1])}" if timer else ""

    def _what(self, event: TaskEvent) -> str:
        """What happened, by whom, and when."""
        by = f" (by {event.actor})" if event.actor is not None else ""
        return f"{what_happened(event)}{by}, {self._ago(event)}"

    def _by(self, event: TaskEvent) -> str:
        who = f"by {event.actor}" if event.actor is not None else "by the engine"
        reason: str | None = getattr(event, "reason", None)
        return f"{who}{f': {on_one_line(reason)}' if reason else ''}, {self._ago(event)}"

    def _age(self, event: TaskEvent) -> str:
        return duration(self._now - event.occurred_at)

    def _ago(self, event: TaskEvent) -> str:
        return f"{self._age(event)} ago"

    def _in(self, time: datetime) -> str:
        if time <= self._now:
            return f"at once (it was due at {moment(time)})"
        return f"in {duration(time - self._now)} ({moment(time)})"
