"""stuck_tasks: open tasks in which nothing happens, and for which nothing will ring."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from support.builders import NOON, step
from support.controlled_steps import begin, controlled_steps
from support.engines import harness_on
from support.limits import NO_DEMAND
from support.sql_calls import (
    Connection,
    append,
    call,
    call_public,
    claim,
    new_id,
    now,
    queue,
    queue_row,
    rows_of,
    task_row,
    timer_row,
)
from support.sql_calls import Row as Event

TEMPLATE = new_id()
LATER = timedelta(minutes=20)
lonely = controlled_steps(step("a", handler={"callable": "act"}), name="lonely")


def open_task(connection: Connection, **changed: Any) -> UUID:
    """A task that something happened to now."""
    task = new_id()
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE, **changed)]))
    append(connection, Event(task, 1, "task.created", b"{}", task))
    return task


def stuck(connection: Connection, *arguments: Any) -> dict[UUID, str]:
    return {row[0]: row[-1] for row in call_public(connection, "stuck_tasks", *arguments)}


def held(connection: Connection, task: UUID) -> None:
    row = {"step_id": new_id(), "task_id": task, "step": "a", "kind": "slot", "limit_key": "k"}
    rest = {"sort_key": 0.0, "since": NOON, "until": None, "demand": NO_DEMAND}
    call(connection, "store_waiting_steps", rows_of([{**row, **rest}]))


def timed(connection: Connection, task: UUID, due_at: datetime, kind: str) -> None:
    row = timer_row(task, due_at, kind=kind)
    if kind in {"start", "deadline"}:
        row |= {"step_id": task, "step": ""}
    call(connection, "upsert_timers", rows_of([row]))


def test_a_task_of_which_there_is_nothing_is_stuck_after_a_while(connection: Connection) -> None:
    task = open_task(connection)
    assert stuck(connection) == {}

    call(connection, "advance_test_clock", LATER)

    ((found, *names, state, last, reason),) = call_public(connection, "stuck_tasks")
    assert (found, names, state, reason) == (task, ["shop", "order"], "in_progress", "nothing")
    assert now(connection) - last > LATER
    assert stuck(connection, timedelta(hours=1)) == {}


def test_the_reason_is_what_there_is_of_it(connection: Connection) -> None:
    queued, running, limited, due = (open_task(connection) for _ in range(4))
    queue(connection, queue_row(running, TEMPLATE))
    claim(connection, new_id(), [TEMPLATE], 1)
    queue(connection, queue_row(queued, TEMPLATE))
    held(connection, limited)
    timed(connection, due, now(connection), "retry")

    call(connection, "advance_test_clock", LATER)

    assert stuck(connection) == {
        queued: "queued",
        running: "running",
        limited: "waiting",
        due: "due",
    }


@pytest.mark.parametrize(
    ("kind", "found"),
    [("retry", {}), ("timeout", {}), ("start_timeout", {}), ("start", {}), ("deadline", "nothing")],
)
def test_a_task_for_which_something_will_ring_is_not_stuck(
    connection: Connection, kind: str, found: Any
) -> None:
    task = open_task(connection)
    timed(connection, task, now(connection) + timedelta(hours=1), kind)

    call(connection, "advance_test_clock", LATER)

    assert stuck(connection) == (found and {task: found})


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"paused": True}, id="paused"),
        pytest.param({"state": "blocked"}, id="blocked"),
        pytest.param({"state": "complete", "ended_at": NOON}, id="ended"),
    ],
)
def test_a_task_that_waits_for_an_operator_or_has_ended_is_not_stuck(
    connection: Connection, changed: dict[str, Any]
) -> None:
    open_task(connection, **changed)

    call(connection, "advance_test_clock", LATER)

    assert stuck(connection) == {}


def test_a_task_that_no_worker_takes_is_stuck_in_the_queue(database: str) -> None:
    with harness_on(database) as harness:
        engine = harness.open(lonely, roles=["coordinator"])
        _, task = begin(engine, lonely)
        harness.until(lambda: harness.value("select count(*) from flowledger.queue"))
        assert harness.rows("select task_id from flowledger_v1.stuck_tasks()") == []

        harness.move_clock("20 minutes")

        assert harness.rows("select task_id, reason from flowledger_v1.stuck_tasks()") == [
            (task.id, "queued")
        ]


def test_a_parked_task_is_stuck_whatever_falls_due(connection: Connection) -> None:
    task = open_task(connection)
    timed(connection, task, now(connection) + 9 * LATER, "retry")
    call(connection, "acquire_shard_lease", 0, new_id(), 36_000.0)
    call(connection, "park_tasks", 0, 1, 0, [task], ["it"])

    call(connection, "advance_test_clock", LATER)

    assert stuck(connection) == {task: "parked"}
