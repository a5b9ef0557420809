"""ready_tasks: whose steps are claimed next."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from support.sql_calls import (
    Connection,
    Others,
    call,
    call_public,
    claim,
    new_id,
    now,
    queue,
    queue_row,
    rows_of,
    task_row,
)

TEMPLATE = new_id()


def queued(connection: Connection, sort_key: float, *steps: str, **task: Any) -> UUID:
    """A task with these steps in the queue."""
    task_id = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task_id, TEMPLATE, **task)]))
    queue(connection, *(queue_row(task_id, TEMPLATE, name, sort_key=sort_key) for name in steps))
    return task_id


def test_tasks_come_in_the_order_in_which_their_steps_are_claimed(connection: Connection) -> None:
    late = queued(connection, 30.0, "a")
    early = queued(connection, 10.0, "a", "b")
    urgent = queued(connection, 20.0 - 3_600, "a", priority=1)

    rows = call_public(connection, "ready_tasks")
    claims = [claim(connection, new_id(), [TEMPLATE], 1) for _ in range(4)]

    assert [row[0] for row in rows] == [urgent, early, late]
    assert [row[1] for (row,) in claims] == [urgent, early, early, late]


def test_a_row_says_what_is_claimable_and_how_long_it_has_waited(connection: Connection) -> None:
    sort_key = now(connection).timestamp() - 60
    task = queued(connection, sort_key, "a", "b", "c", priority=4)
    claim(connection, new_id(), [TEMPLATE], 1)

    ((found, *names, waited, steps, state),) = call_public(connection, "ready_tasks", 1)

    assert (found, names, steps, state) == (task, ["shop", "order", 4], 2, "in_progress")
    assert 60 <= waited < 120


def test_a_task_whose_steps_are_all_taken_is_left_out(connection: Connection) -> None:
    queued(connection, 1.0, "a")
    waiting = queued(connection, 2.0, "a")
    claim(connection, new_id(), [TEMPLATE], 1)

    assert [row[0] for row in call_public(connection, "ready_tasks")] == [waiting]


def test_there_are_as_many_as_were_asked_for(connection: Connection) -> None:
    tasks = [queued(connection, float(n), "a", "b") for n in range(7)]

    assert [row[0] for row in call_public(connection, "ready_tasks")] == tasks[:5]
    assert [row[0] for row in call_public(connection, "ready_tasks", 2)] == tasks[:2]
    assert [row[0] for row in call_public(connection, "ready_tasks", 100)] == tasks
    assert call_public(connection, "ready_tasks", 0) == []


def test_a_wide_task_does_not_hide_those_behind_it(connection: Connection) -> None:
    wide = queued(connection, 1.0, *(f"s{n}" for n in range(2_000)))
    behind = queued(connection, 2.0, "a")

    rows = call_public(connection, "ready_tasks", 2)

    assert [(row[0], row[5]) for row in rows] == [(wide, 2_000), (behind, 1)]


def test_19_two_who_look_at_once_see_the_same_and_neither_waits(
    connection: Connection, others: Others
) -> None:
    tasks = [queued(connection, float(n), "a") for n in range(3)]
    with others.begin() as first:
        seen = call_public(first, "ready_tasks", 3)
        claim(connection, new_id(), [TEMPLATE], 1)

        assert [row[0] for row in seen] == tasks
        assert [row[0] for row in call_public(connection, "ready_tasks", 3)] == tasks[1:]
