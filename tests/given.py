"""Templates, events and whole tasks in memory, for tests that say what was given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from flowledger.engine.domain import decisions
from flowledger.engine.domain.decisions import Rules
from flowledger.engine.domain.events import (
    StepCompleted,
    StepError,
    StepEvent,
    StepFailed,
    StepHandedBack,
    StepStarted,
    TaskCreated,
    TaskEvent,
)
from flowledger.engine.domain.ids import milliseconds, step_id, uuid7
from flowledger.engine.domain.plan import Plan, compile_plan
from flowledger.engine.domain.retry import Retry
from flowledger.engine.domain.run import Run
from flowledger.engine.domain.template import StepTemplate, Template

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
    return kind(
        originator_id=step_id(TASK, name) if name else TASK,
        originator_version=version,
        event_id=uuid7(milliseconds(NOON), version),
        occurred_at=NOON,
        correlation_id="c",
        task_id=TASK,
        namespace="shop",
        template="order",
        **data,
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

    def __init__(self, template: Template, *, lost_leases: int = 2) -> None:
        self.plan = compile_plan(template)
        self.rules = Rules(lost_leases=lost_leases)
        self.now = NOON
        self.log: list[TaskEvent] = [created(self.plan)]
        self.run = Run(self.log[0], self.plan)  # type: ignore[arg-type]
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
        self._report(StepFailed, name, error=error(retryable=retryable))

    def hand_back(self, name: str) -> None:
        """The worker stops."""
        self._report(StepHandedBack, name)

    def lose(self, name: str) -> Sequence[TaskEvent]:
        """The worker goes silent."""
        number = self.plan.numbers[name]
        return self._told(decisions.lease_expired(self.run, number, WORKER, self.now))

    def ring(self, name: str, *, after: float) -> Sequence[TaskEvent]:
        """The timer of the step is asked for, seconds from now."""
        self.now += timedelta(seconds=after)
        number = self.plan.numbers[name]
        timer = self.run.timers.get(number, ("retry", self.now))
        due = decisions.retry_due if timer[0] == "retry" else decisions.timeout_due
        return self._told(due(self.run, number, self.now))

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
        return [*events, *(self.decided() if events else ())]

    def _report(self, kind: type[StepEvent], name: str, **data: Any) -> None:
        known = self.run.step(name)
        fact = event(
            kind,
            known.version + 1,
            step=name,
            **{"attempt": known.attempt, **data},
        ).model_copy(
            update={
                "event_id": uuid7(milliseconds(self.now), next(self._random)),
                "occurred_at": self.now,
            }
        )
        self.run.apply(fact)
        self.log.append(fact)
