"""Workflows whose tasks are explained, and how tests look at the reasons."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from flowledger.engine import TaskHandle
from flowledger.engine.domain.explain.reasons import Explanation, Reason, ReasonKind
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.step import StepCompleted
from flowledger.projections import Cursor, Projection, on
from support.builders import NEVER
from support.builders import step as any_step
from support.controlled_steps import begin, controlled_steps
from support.engines import EngineHarness
from support.manual_coordinator import ManualCoordinator

LATER = Retry(max_attempts=3, backoff="fixed", base_seconds=90, cap_seconds=90, jitter="none")
ONCE = Retry(max_attempts=1)
WHY = {"actor": "ada", "reason": "ticket 7"}


def step(name: str, *dependencies: str, **fields: Any) -> Any:
    """A step that does what the test says."""
    return any_step(name, *dependencies, handler={"callable": "act"}, **fields)


chain = controlled_steps(step("a", retry=LATER), step("b", "a"), step("c", "b"))
blocking = controlled_steps(
    step("a", retry=ONCE), step("b", "a"), name="blocking", on_failure="block"
)
narrow = controlled_steps(step("a", concurrency={"limit": 1}), step("b", "a"), name="narrow")
paced = controlled_steps(step("a", rate={"limit": 1, "per_seconds": 60.0}), name="paced")
banked = controlled_steps(
    step("a", system="bank", retry=Retry(max_attempts=9, backoff="none")), name="banked"
)
bare = controlled_steps(step("a", retry=NEVER), name="bare")
Test = Callable[..., None]
forced: set[ReasonKind] = set()
met: set[ReasonKind] = set()


class Seen(Projection):
    """Steps that completed."""

    name, version = "seen", 1
    tables = "create table {schema}.step (step text)"

    @on(StepCompleted)
    def completed(self, event: StepCompleted, cursor: Cursor) -> None:
        cursor.execute("insert into step values (%s)", (event.step,))


def forces(*kinds: ReasonKind) -> Callable[[Test], Test]:
    """The test meets reasons of these kinds, and `found` or `first` looked at each."""
    forced.update(kinds)

    def checked(test: Test) -> Test:
        @wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            met.clear()
            test(*args, **kwargs)
            assert met >= set(kinds)

        return run

    return checked


def found(told: Explanation, kind: ReasonKind) -> Reason:
    """The reason of that kind, of which there is one."""
    (reason,) = [reason for reason in told if reason.kind is kind]
    met.add(kind)
    return reason


def first(told: Explanation, kind: ReasonKind) -> Reason:
    """The most decisive reason, which is of that kind."""
    assert told.kinds[0] is kind, told
    return found(told, kind)


def topic_of(task: TaskHandle, reason: Reason) -> str:
    """What the log has at the place that the reason names as its cause."""
    assert reason.cause is not None
    (event,) = [one.event for one in task.history() if one.position == reason.cause.position]
    assert event.event_id == reason.cause.event_id
    assert reason.cause.topic == event.topic
    return event.topic


def until(
    harness: EngineHarness, task: TaskHandle, step: str | None, kind: ReasonKind
) -> Explanation:
    """The explanation, once its first reason is of that kind."""
    harness.until(lambda: task.explain(step).kinds[:1] == (kind,))
    return task.explain(step)


def stage_of(
    harness: EngineHarness, opened: ExitStack, flow: Any
) -> tuple[ManualCoordinator, TaskHandle]:
    """A task of which the coordinator, led by hand, has queued what is ready."""
    stage = ManualCoordinator(harness, opened, flow)
    _, task = begin(stage.client, flow)
    stage.settle()
    harness.rows(
        "select flowledger.heartbeat_coordinator(s.leader, 'here', 1, 36000)"
        " from flowledger.shard as s"
    )
    return stage, task


def with_an_unreadable_event(harness: EngineHarness) -> tuple[TaskHandle, int]:
    """A task that is queued by an event of no known kind, and where that lies."""
    task = harness.open(chain, roles=("coordinator",)).submit(chain, {"world": "none"})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue"))
    harness.rows("alter table flowledger.event disable trigger user")
    position: int = harness.value(
        "update flowledger.event set topic = 'step.vanished' where topic = 'step.enqueued'"
        " returning notification_id"
    )
    return task, position
