"""Wherever the coordinator meets a task that it cannot decide on: it alone is parked."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from flowledger.engine import TaskHandle
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.handlers import Workflow
from support.engines import EngineHarness
from support.manual_coordinator import ManualCoordinator

ROOT = Path(__file__).parent.parent.parent
NOWHERE = "nowhere"
OWN_STATEMENTS = {f"projections/verification.py:{name}" for name in ("check", "_rebuilt")}
"""Hold what they guard for themselves: a connection, and what they ask it between their yields."""

flow = Workflow("parking", "places", version="1")


@flow.step
def only() -> None:
    """Run by hand here."""


@flow.step(after=[only])
def then() -> None:
    """Run by hand here."""


def a_timer(harness: EngineHarness, task: UUID) -> None:
    harness.rows(
        "insert into flowledger.timer (step_id, task_id, step, kind, due_at)"
        " values (%s, %s, %s, 'retry', flowledger.clock())",
        *(step_id(task, NOWHERE), task, NOWHERE),
    )


def a_lost_step(harness: EngineHarness, task: UUID) -> None:
    harness.rows(
        "update flowledger.queue set step = %s, worker_id = gen_random_uuid() where task_id = %s",
        *(NOWHERE, task),
    )
    harness.move_clock("1 minute")


def a_step_that_waits(harness: EngineHarness, task: UUID) -> None:
    demand = {"template_id": str(task), "system": None, "slots": [["k", 1]], "rates": []}
    harness.rows(
        "insert into flowledger.waiting_step"
        " (step_id, task_id, step, kind, limit_key, sort_key, since, demand)"
        " values (%s, %s, %s, 'slot', 'k', 0, flowledger.clock(), %s)",
        *(step_id(task, NOWHERE), task, NOWHERE, Jsonb(demand)),
    )


def a_step_to_recall(harness: EngineHarness, task: UUID) -> None:
    harness.rows("update flowledger.queue set step = %s where task_id = %s", NOWHERE, task)
    harness.rows("update flowledger.template set paused = true")


def a_step_to_reconcile(harness: EngineHarness, task: UUID) -> None:
    harness.rows(
        "insert into flowledger.step (task_id, step, state, attempt, stream_version)"
        " values (%s, %s, 'enqueued', 0, 1)",
        *(task, NOWHERE),
    )
    harness.move_clock("1 minute")


def a_fact(harness: EngineHarness, task: UUID) -> None:
    append(
        harness, task, step_id(task, NOWHERE), "step.completed", '"attempt": 1, "step": "nowhere"'
    )


def a_request(harness: EngineHarness, task: UUID) -> None:
    """The task is folded anew for it, and has a decision that does not follow from its facts."""
    append(harness, task, task, "task.completed", '"nothing": null', version=9)
    asked = '"actor": "ann", "reason": "asked"'
    append(harness, task, UUID(int=7), "task.cancel_requested", asked)


def a_null_character(harness: EngineHarness, task: UUID) -> None:
    """What cannot be read of the event is said in its own words, which no table holds."""
    append(harness, task, UUID(int=8), "task.cancel_requested", '"\\u0000": 1')


def append(  # noqa: PLR0913, PLR0917 - an event
    harness: EngineHarness, task: UUID, stream: UUID, topic: str, more: str, version: int = 1
) -> None:
    head = '"event_id": "01a20000-0000-7000-8000-000000000001", "occurred_at": "2026-01-01T00:00Z"'
    state = f'{{{head}, "namespace": "parking", "template": "places", {more}}}'
    harness.rows(
        "select flowledger.append_events(array[%s], array[%s::bigint], array[%s],"
        " array[convert_to(%s, 'utf8')], array[%s], array[0::bigint])",
        *(stream, version, topic, state, task),
    )


@pytest.fixture
def stage(harness: EngineHarness) -> Generator[ManualCoordinator]:
    with ExitStack() as opened:
        yield ManualCoordinator(harness, opened, flow)


def submitted(stage: ManualCoordinator) -> TaskHandle:
    task = stage.client.submit(flow, {})
    stage.settle()
    return task


def anew(stage: ManualCoordinator) -> None:
    """The next coordinator knows nothing but what is stored."""
    stage.coordinator.resign()
    stage.coordinator = stage.another(stage.ledger, stage.clock)


PLACES = [
    a_timer,
    a_lost_step,
    a_step_that_waits,
    a_step_to_recall,
    a_step_to_reconcile,
    a_fact,
    a_request,
    a_null_character,
]


@pytest.mark.parametrize("remembered", [True, False], ids=["in memory", "folded anew"])
@pytest.mark.parametrize("plant", PLACES, ids=lambda plant: plant.__name__)
def test_what_cannot_be_decided_on_parks_its_task_and_no_other(
    stage: ManualCoordinator,
    plant: Callable[[EngineHarness, UUID], None],
    caplog: pytest.LogCaptureFixture,
    *,
    remembered: bool,
) -> None:
    caplog.set_level(logging.ERROR, "flowledger")
    broken, whole = submitted(stage), submitted(stage)
    plant(stage.harness, broken.id)
    if not remembered or plant in {a_step_that_waits, a_step_to_recall, a_request}:
        anew(stage)
    after = stage.client.submit(flow, {})

    stage.settle()
    stage.harness.move_clock("1 minute")
    for _ in range(2):  # it learns of that while it works
        stage.settle()

    told = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in told] == ["coordinator.task_parked"]
    assert str(broken.id) in told[0]
    assert after.history()[-1].event.topic in {"step.enqueued", "task.waiting"}
    assert not stage.differences(whole.id)
    assert stage.coordinator.leads


def guarded_generators(path: Path) -> Iterator[str]:
    """Functions that yield within a `with` and are no context managers."""
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef) or "contextmanager" in str(
            [ast.unparse(one) for one in function.decorator_list]
        ):
            continue
        for guard in ast.walk(function):
            if isinstance(guard, ast.With) and any(
                isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(guard)
            ):
                yield f"{path.relative_to(ROOT)}:{function.name}"


def test_no_generator_that_is_looped_over_holds_a_guard_around_its_yield() -> None:
    """What a loop's body raises does not reach the generator, so the guard would not see it."""
    folders = ("engine", "handlers", "projections")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]

    found = {one for path in paths for one in guarded_generators(path)}

    assert found == OWN_STATEMENTS
