"""Templates, events and whole tasks in memory, for tests that say what was given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import milliseconds, step_id, uuid7
from flowledger.engine.domain.machine import decide as decisions
from flowledger.engine.domain.machine.decide import Admit, Rules
from flowledger.engine.domain.machine.task_run import TaskRun
from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.domain.templates.template import StepTemplate, Template
from flowledger.engine.events.base import StepEvent, TaskEvent
from flowledger.engine.events.requests import RequestRefused, StepRequest, TaskRequest
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCheckpointed,
    StepCompleted,
    StepError,
    StepReleased,
    StepStarted,
)
from flowledger.engine.events.task import TaskCreated

E = TypeVar("E", bound=TaskEvent)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TASK = uuid7(milliseconds(NOON), 7)
WORKER = uuid7(milliseconds(NOON), 8)
AT_ONCE = Retry(backoff="none")
NEVER = Retry(max_attempts=0)


def step(name: str, *dependencies: str, **fields: Any) -> StepTemplate:
    """A step of a template."""
    return StepTemplate.model_validate({"name": name, "dependencies": dependencies, **fields})


def template(*steps: StepTemplate, **fields: Any) -> Template:
    """A template of these steps."""
    named = {"namespace": "shop", "name": "order", "version": "1"}
    return Template.model_validate({**named, **fields, "steps": steps})


def diamond(**fields: Any) -> Template:
    """`start`, then `left` and `right`, then `end`; the fields are of each step."""
    return template(
        step("start", **fields),
        step("left", "start", **fields),
        step("right", "start", **fields),
        step("end", "left", "right", **fields),
    )


def event(kind: type[E], version: int = 1, /, **data: Any) -> E:
    """An event of `TASK`, or of its step where `step` is given."""
    name = data.get("step")
    if issubclass(kind, StepEvent):
        data = {"attempt": 1, **data}
    if issubclass(kind, TaskRequest):
        data = {"actor": "ann", "reason": "asked", **data}
    return kind(
        originator_id=step_id(TASK, name) if name else TASK,
        originator_version=version,
        event_id=uuid7(milliseconds(NOON), version),
        occurred_at=NOON,
        correlation_id="c",
        task_id=TASK,
        **{"namespace": "shop", "template": "order", **data},
    )


def created(plan: Plan, task_id: UUID = TASK, **fields: Any) -> TaskCreated:
    """The first event of a task of that plan."""
    values = {
        "originator_id": task_id,
        "originator_version": 1,
        "event_id": task_id,
        "occurred_at": NOON,
        "correlation_id": "c",
        "task_id": task_id,
        "namespace": plan.template.namespace,
        "template": plan.template.name,
        "version": plan.template.version,
        "definition_hash": plan.template.definition_hash,
        "template_id": plan.template_id,
    }
    return TaskCreated.model_validate({**values, **fields})


def error(*, retryable: bool = True, message: str = "no") -> StepError:
    """What a handler's exception left."""
    return StepError(
        error_class="ValueError", message=message, category="unknown", retryable=retryable
    )


def names(events: Iterable[TaskEvent]) -> list[str]:
    """The events as a test reads them: their names, and the step where there is one."""
    return [
        f"{type(e).__name__} {e.step}" if isinstance(e, StepEvent) else type(e).__name__
        for e in events
    ]


class Story:
    """A task played in memory: what workers report, what the clock asks for, what is decided."""

    def __init__(
        self,
        template: Template,
        *,
        lost_leases: int = 2,
        hand_backs: int = 10,
        admit: Admit | None = None,
        **fields: Any,
    ) -> None:
        self.plan = compile_plan(template)
        self.rules = Rules(lost_leases=lost_leases, hand_backs=hand_backs, admit=admit)
        self.now = NOON
        self.log: list[TaskEvent] = [created(self.plan, **fields)]
        self.run = TaskRun(self.log[0], self.plan)  # type: ignore[arg-type]
        self._random = count(1_000)

    def decided(self) -> Sequence[TaskEvent]:
        """What the coordinator decides now."""
        events = decisions.decide(self.run, self.log[-1].event_id, self.now, self.rules)
        self.log += events
        return events

    def begin(self, name: str) -> None:
        """A worker starts the step."""
        attempt = self.run.step(name).attempt + 1
        self._report(StepStarted, name, attempt=attempt, worker=WORKER)

    def complete(self, name: str, result: Any = None) -> None:
        """The handler returns."""
        self._report(StepCompleted, name, result=result)

    def fail(self, name: str, *, retryable: bool = True) -> None:
        """The handler raises."""
        self._report(StepAttemptFailed, name, error=error(retryable=retryable))

    def hand_back(self, name: str) -> None:
        """The worker stops."""
        self._report(StepReleased, name)

    def note(self, name: str, state: Any = None) -> None:
        """The handler records how far it is."""
        self._report(StepCheckpointed, name, state=state)

    def lose(self, name: str) -> Sequence[TaskEvent]:
        """The worker goes silent."""
        number = self.plan.numbers[name]
        return self._told(decisions.lease_expired(self.run, number, WORKER, self.now, self.rules))

    def ask(self, kind: type[TaskRequest], step: str | None = None, **data: Any) -> TaskRequest:
        """An operator asks for something; nobody has answered yet."""
        about = {"step": step} if issubclass(kind, StepRequest) else {}
        request = self._dated(event(kind, **about, **data))
        stream = step_id(TASK, f"request {request.event_id}")
        request = request.model_copy(update={"originator_id": stream})
        self._happened(request)
        return request

    def asked(
        self, kind: type[TaskRequest], step: str | None = None, **data: Any
    ) -> Sequence[TaskEvent]:
        """An operator asks, and the coordinator decides."""
        self.ask(kind, step, **data)
        return self.decided()

    def refused(self, kind: type[TaskRequest], step: str | None = None) -> str:
        """What an operator is told who asks for what cannot be; nothing may follow from that."""
        begun = self.run.started
        answer, *rest = self.asked(kind, step)
        assert isinstance(answer, RequestRefused), answer
        assert not (rest and begun), rest
        return answer.message

    def fire(self, name: str, *, after: float) -> Sequence[TaskEvent]:
        """The timer of the step is asked for, seconds from now."""
        self.now += timedelta(seconds=after)
        kind, _ = self.run.timers.get(self.plan.numbers[name], ("retry", self.now))
        return self._told(decisions.timer_fired(self.run, name, kind, self.now, self.rules))

    def ring_task(self, *, after: float) -> Sequence[TaskEvent]:
        """The timer of the task as a whole is asked for, seconds from now."""
        self.now += timedelta(seconds=after)
        kind, _ = self.run.timer or ("deadline", self.now)
        return self._told(decisions.timer_fired(self.run, "", kind, self.now, self.rules))

    def admit(self, name: str) -> Sequence[TaskEvent]:
        """What held the step may be over."""
        number = self.plan.numbers[name]
        return self._told(decisions.admitted(self.run, number, self.now, self.rules))

    def through(self, *steps: str) -> Story:
        """The steps complete, one after the other, with all decisions between."""
        self.decided()
        for name in steps:
            self.begin(name)
            self.complete(name)
            self.decided()
        return self

    def _told(self, events: Sequence[TaskEvent]) -> Sequence[TaskEvent]:
        self.log += events
        return events

    def _report(self, kind: type[StepEvent], name: str, **data: Any) -> None:
        known = self.run.step(name)
        fields = {"attempt": known.attempt, **data}
        self._happened(self._dated(event(kind, known.version + 1, step=name, **fields)))

    def _dated(self, made: E) -> E:
        event_id = uuid7(milliseconds(self.now), next(self._random))
        return made.model_copy(update={"event_id": event_id, "occurred_at": self.now})

    def _happened(self, fact: TaskEvent) -> None:
        self.run.apply(fact)
        self.log.append(fact)
