"""Fairness keys: whoever has few tasks does not wait for all those of who has many."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from flowledger.engine import InvalidTemplate, TaskHandle
from flowledger.handlers import Workflow
from flowledger.handlers.task_template_file import load_template
from support.engines import PATIENCE, EngineHarness
from support.manual_worker import ManualWorker

MANY, SOME = 60, 6

shared = Workflow("fair", "shared", version="1", fairness={"key": "tenant"})
narrow = Workflow(
    "fair", "narrow", version="1", fairness={"key": "tenant"}, concurrency={"limit": 1}
)


@shared.step
def load(context: dict[str, Any]) -> str:
    return context["tenant"]


@shared.step(after=[load])
def store(load: str) -> str:
    return load


@narrow.step
def only(context: dict[str, Any]) -> str:
    return context["tenant"]


def of(tenant: str, count: int) -> list[dict[str, Any]]:
    return [{"tenant": tenant} for _ in range(count)]


def events(harness: EngineHarness, tasks: list[TaskHandle[Any]], topic: str) -> list[str]:
    """The tenants of these events, in the order of the log."""
    tenants = {task.id: "acme" if n < MANY else "beta" for n, task in enumerate(tasks)}
    query = "select task_id from flowledger.event where topic = %s order by notification_id"
    return [tenants[task] for (task,) in harness.rows(query, topic)]


def met(harness: EngineHarness, count: int) -> None:
    harness.until(lambda: harness.value("select count(*) from flowledger.task") == count)


def submitted(
    harness: EngineHarness, flow: Workflow[Any], ahead: int = 2, **more: Any
) -> list[TaskHandle[Any]]:
    """Many tasks of one tenant, and behind them some of another, while nobody works."""
    few = {"begin_ahead_steps": ahead, "begin_ahead_seconds": 0.001}
    engine = harness.open(flow, roles=["coordinator"], coordinator=few, **more)
    tasks = engine.submit_many(flow, of("acme", MANY))
    met(harness, MANY)
    tasks += engine.submit_many(flow, of("beta", SOME))
    met(harness, MANY + SOME)
    return tasks


def test_few_tasks_behind_many_of_another_begin_and_end_in_turn(harness: EngineHarness) -> None:
    tasks = submitted(harness, shared)
    harness.open(shared, roles=["worker"], worker={"concurrency": 1})

    for task in tasks:
        task.result(PATIENCE)

    begun, ended = events(harness, tasks, "task.started"), events(harness, tasks, "task.completed")
    assert begun[2 : 2 + 2 * SOME].count("beta") >= SOME - 1
    assert ended[: 2 * SOME + 8].count("beta") == SOME
    assert begun.count("acme") == ended.count("acme") == MANY
    assert list(harness.open(shared, roles=()).verify()) == []


def test_weights_say_how_many_turns_a_key_has(harness: EngineHarness) -> None:
    tasks = submitted(harness, shared, limits={"fairness_weights": {"fair/shared:beta": 3}})
    harness.open(shared, roles=["worker"], worker={"concurrency": 1})

    for task in tasks:
        task.result(PATIENCE)

    assert events(harness, tasks, "task.started")[2:12].count("beta") == SOME


def test_room_under_a_limit_is_shared_by_turns(harness: EngineHarness) -> None:
    tasks = submitted(harness, narrow, ahead=200)
    harness.until(lambda: harness.value("select count(*) from flowledger.waiting_step") == 65)
    harness.open(narrow, roles=["worker"])

    for task in tasks:
        task.result(PATIENCE)

    ended = events(harness, tasks, "task.completed")
    assert ended[: 2 * SOME + 4].count("beta") == SOME


def test_explain_says_with_whom_a_task_takes_turns(harness: EngineHarness) -> None:
    tasks = submitted(harness, shared)
    with ExitStack() as opened:
        ManualWorker(harness, opened, shared)
        told = tasks[-1].explain().reasons[0]

    assert told.sentence.endswith(
        "and 5 come before it of those of 'beta', which take turns with 1 other key"
    )
    assert told.details.items() >= {"before": 5, "fairness_key": "beta", "keys": 1}.items()


@pytest.mark.parametrize(
    ("tamper", "field"),
    [
        ("update flowledger.task set fairness_key = '\"half' where task_id = %s", "fairness_key"),
        ("update flowledger.task set fairness_key = null where task_id = %s", "fairness_key"),
        ("update flowledger.task set created_at = '-infinity' where task_id = %s", "created_at"),
        ("update flowledger.task set priority = 7 where task_id = %s", "priority"),
    ],
)
def test_a_row_that_says_something_else_holds_up_nobody_and_is_named(
    harness: EngineHarness, tamper: str, field: str
) -> None:
    tasks = submitted(harness, shared)
    harness.rows(tamper, tasks[40].id)
    harness.open(shared, roles=["worker"], worker={"concurrency": 1})

    for task in tasks:
        task.result(PATIENCE)

    found = list(tasks[40].verify())
    assert [(one.subject, one.field) for one in found] == [("task", field)]


def test_what_a_task_began_before_is_in_its_history(harness: EngineHarness) -> None:
    tasks = submitted(harness, shared)
    harness.open(shared, roles=["worker"], worker={"concurrency": 1})
    for task in tasks:
        task.result(PATIENCE)

    first = tasks[MANY].history()[1].event
    oldest = [task.history()[0].event.occurred_at for task in tasks[:MANY]]

    assert type(first).__name__ == "TaskStarted"
    assert first.turn_since in oldest  # type: ignore[attr-defined]


def test_keys_are_declared_in_files_too(harness: EngineHarness, tmp_path: Any) -> None:
    lines = "namespace: fair\nname: file\nversion: '1'\nfairness: {key: %s}\nsteps: [{name: a}]\n"
    path = tmp_path / "flow.yaml"
    path.write_text(lines % "tenant")
    assert load_template(path).fairness is not None

    path.write_text(lines % "'a b'")
    with pytest.raises(InvalidTemplate, match=r"fairness\.key"):
        load_template(path)
