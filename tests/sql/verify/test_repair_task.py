"""repair_task: rows in place of those that are there, and the event; nothing where facts came."""

from __future__ import annotations

from typing import Any

import orjson

from flowledger.engine.domain.deterministic_ids import request_id, step_id
from support.builders import NOON
from support.limits import waiting_row
from support.sql_calls import (
    Connection,
    Row,
    append,
    call,
    columns,
    log,
    new_id,
    park,
    state_counts,
    step_row,
    table,
    task_row,
    timer_row,
)

TASK, TEMPLATE = new_id(), new_id()
STEP = step_id(TASK, "a")
NOTE = Row(request_id(TASK, "note"), 1, "task.repaired", task=TASK)
QUEUED = {
    "step_id": STEP,
    "task_id": TASK,
    "template_id": TEMPLATE,
    "stream_version": 3,
    "sort_key": 1.0,
    "worker_id": None,
    "attempt": 2,
    "resets": 0,
    "cancelling": False,
    "step": "a",
    "correlation_id": None,
}
RELATIONS = ("task", "step", "queue", "timer", "waiting_step", "slot", "slot_count", "identity")


def repair(connection: Connection, seen: int, **rows: Any) -> bool:
    text = orjson.dumps(rows).decode()
    (done,) = call(connection, "repair_task", TASK, seen, text, *columns([NOTE]))
    return bool(done)


def fill(connection: Connection, **changed: Any) -> bool:
    (seen,) = append(connection, Row(TASK, 1, "task.created", task=TASK))
    return repair(
        connection,
        seen,
        task=[task_row(TASK, TEMPLATE)],
        steps=[step_row(TASK)],
        queue=[QUEUED],
        timers=[timer_row(TASK, NOON)],
        held=[waiting_row(TASK, "a")],
        slots=[{"step_id": STEP, "limit_key": "k"}],
        identity="i",
        **changed,
    )


def sizes(connection: Connection) -> list[int]:
    return [len(table(connection, name, *FIRST[name])) for name in RELATIONS]


FIRST = {
    **dict.fromkeys(("task", "step", "queue", "timer", "waiting_step", "identity"), ("task_id",)),
    "slot": ("step_id",),
    "slot_count": ("in_use",),
}


def test_rows_are_stored_where_none_were_and_nothing_is_counted(connection: Connection) -> None:
    assert fill(connection)

    assert sizes(connection) == [1] * len(RELATIONS)
    assert state_counts(connection) == {}
    assert log(connection)[-1] == (NOTE.stream, 1)


def test_rows_take_the_place_of_others(connection: Connection) -> None:
    fill(connection)
    (seen,) = append(connection, Row(step_id(TASK, "b"), 1, task=TASK))
    worker = new_id()
    changed = {**QUEUED, "sort_key": 9.0, "worker_id": worker, "attempt": 5}
    other = Row(request_id(TASK, "other"), 1, "task.repaired", task=TASK)
    rows = {"queue": [changed], "steps": [step_row(TASK, state="in_progress", attempt=5)]}

    call(connection, "repair_task", TASK, seen, orjson.dumps(rows).decode(), *columns([other]))

    assert table(connection, "queue", "sort_key", "worker_id", "attempt") == [(9.0, worker, 5)]
    assert table(connection, "step", "state", "attempt") == [("in_progress", 5)]


def test_rows_go(connection: Connection) -> None:
    fill(connection)
    (seen,) = append(connection, Row(step_id(TASK, "b"), 1, task=TASK))
    rows: dict[str, Any] = {
        "no_task": True,
        "no_steps": ["a"],
        "no_queue": [STEP],
        "no_timers": [TASK, STEP],
        "no_held": [STEP],
        "no_slots": [{"step_id": STEP, "limit_key": "k"}],
        "no_parked": True,
    }
    for task in (TASK, TEMPLATE):
        park(connection, task)

    call(connection, "repair_task", TASK, seen, orjson.dumps(rows).decode(), *[None] * 6)

    assert sizes(connection) == [0] * (len(RELATIONS) - 1) + [1]
    assert table(connection, "parked_task", "task_id") == [TEMPLATE]


def test_a_fact_that_came_meanwhile_is_told(connection: Connection) -> None:
    (seen,) = append(connection, Row(TASK, 1, "task.created", task=TASK))
    append(connection, Row(STEP, 1, task=TASK))

    assert not repair(connection, seen)
    assert (NOTE.stream, 1) not in log(connection)


def test_its_coordinator_is_asked_to_look_at_it_anew(connection: Connection) -> None:
    (seen,) = append(connection, Row(TASK, 1, "task.created", task=TASK))

    assert repair(connection, seen)
    assert table(connection, "parked_task", "task_id") == []

    (seen,) = append(connection, Row(TASK, 2, task=TASK))
    rows = orjson.dumps({"decide": True}).decode()
    call(connection, "repair_task", TASK, seen, rows, *[None] * 6)

    assert table(connection, "parked_task", "task_id", "wanted") == [(TASK, True)]
