"""task_events: the whole history of a task and of no other."""

from __future__ import annotations

from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.sql_calls import Connection, Row, append, call, new_id

NAMES = ["validate", "ship", "日本", "a" * 60]


def history(connection: Connection, task: UUID) -> list[tuple[UUID, int]]:
    return [(row[2], row[1]) for row in call(connection, "task_events", task)]


def streams(task: UUID) -> list[Row]:
    """A task's events, its own and its steps', in some order."""
    own = [Row(task, n, "task.created", b"{}", task) for n in (1, 2)]
    steps = [Row(step_id(task, name), n, task=task) for n in (1, 2) for name in NAMES]
    return [own[0], *steps, own[1]]


def test_the_history_is_everything_of_the_task_in_log_order(connection: Connection) -> None:
    task = new_id()
    rows = streams(task)
    append(connection, *rows)

    assert history(connection, task) == [(row.stream, row.version) for row in rows]


def test_an_unknown_task_has_none(connection: Connection) -> None:
    assert history(connection, new_id()) == []


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([uuid7(1_000, 2), uuid7(1_000, 1 << 61)], id="the same time and bits"),
        pytest.param([uuid7(1_000, 1 << 62), uuid7(1_000, 0xFFF << 62)], id="the same time"),
        pytest.param([uuid7(999, 2**74 - 1), uuid7(1_001, 0)], id="the neighbours in time"),
    ],
)
def test_tasks_that_lie_together_are_told_apart(connection: Connection, others: list[UUID]) -> None:
    task = uuid7(1_000, 1)
    for each in (task, *others):
        append(connection, *streams(each))

    for each in (task, *others):
        found = history(connection, each)
        assert found == [(row.stream, row.version) for row in streams(each)]


def test_events_that_only_lie_in_the_range_do_not_belong(connection: Connection) -> None:
    task = uuid7(1_000, 1)
    append(connection, Row(step_id(task, "x"), 1, task=None), Row(task, 1, task=task))

    assert history(connection, task) == [(task, 1)]


@pytest.mark.parametrize("low", [0, 2**62 - 1])
def test_the_first_and_last_possible_steps_are_found(connection: Connection, low: int) -> None:
    task = uuid7(1_000, 1)
    edge = UUID(int=step_id(task, "x").int & ~(2**62 - 1) | low)
    append(connection, Row(edge, 1, task=task))

    assert history(connection, task) == [(edge, 1)]
