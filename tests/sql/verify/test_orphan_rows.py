"""orphan_rows: rows beside the log that belong to nothing in it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.builders import NOON
from support.limits import waiting_row
from support.sql_calls import (
    Connection,
    Row,
    append,
    call,
    new_id,
    park,
    queue,
    queue_row,
    rows_of,
    task_row,
)

TASK, OTHER, TEMPLATE = uuid7(5, 5), uuid7(7, 7), new_id()


def store(connection: Connection, task: UUID, by: UUID) -> None:
    """A row of each table about the task, by the id that its step has in another."""
    step = step_id(by, "a")
    timer = {"task_id": task, "kind": "retry", "due_at": NOON}
    queue(connection, queue_row(task, TEMPLATE, "a", step_id=step))
    timers = [{**timer, "step_id": step, "step": "a"}]
    if task == by:
        timers.append({**timer, "step_id": task, "step": "", "kind": "deadline"})
    call(connection, "upsert_timers", rows_of(timers))
    call(connection, "store_waiting_steps", rows_of([waiting_row(task, "a", step_id=step)]))
    connection.execute("insert into flowledger.slot values (%s, 'k')", (step,))


def strays(connection: Connection) -> list[Any]:
    return sorted(call(connection, "orphan_rows"), key=repr)


@pytest.mark.parametrize("by", ["event", "row"])
def test_rows_of_a_known_task_are_none(connection: Connection, by: str) -> None:
    if by == "event":
        append(connection, Row(TASK, 1, "task.created", task=TASK))
    else:
        call(connection, "upsert_tasks", rows_of([task_row(TASK, TEMPLATE)]))
    store(connection, TASK, TASK)

    assert strays(connection) == []


def test_rows_of_an_unknown_task_are_strays(connection: Connection) -> None:
    store(connection, TASK, TASK)
    step = step_id(TASK, "a")

    assert strays(connection) == [
        ("queue", TASK, "a", step),
        ("slot", None, "k", step),
        ("timer", TASK, "", TASK),
        ("timer", TASK, "a", step),
        ("waiting_step", TASK, "a", step),
    ]


def test_rows_by_an_id_of_another_task_are_strays(connection: Connection) -> None:
    for task in (TASK, OTHER):
        append(connection, Row(task, 1, "task.created", task=task))
    store(connection, TASK, OTHER)

    assert [relation for relation, *_ in strays(connection)] == ["queue", "timer", "waiting_step"]


@pytest.mark.parametrize("known_by", ["the log", "a step's events", "a row", "a submission"])
def test_a_parked_task_of_which_anything_is_stored_is_none(
    connection: Connection, known_by: str
) -> None:
    park(connection, TASK)
    assert strays(connection) == [("parked_task", TASK, None, TASK)]

    if known_by == "the log":
        append(connection, Row(TASK, 1, "task.created", task=TASK))
    elif known_by == "a step's events":
        append(connection, Row(step_id(TASK, "a"), 1, task=TASK))
    elif known_by == "a row":
        call(connection, "upsert_tasks", rows_of([task_row(TASK, TEMPLATE)]))
    else:
        submitted = ([None], [TASK], ["task.created"], [b"{}"], [0])
        call(connection, "submit_in_callers_transaction", *submitted)

    assert strays(connection) == []


def test_a_template_without_a_stream_is_a_stray(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.template values (%s, 'shop', 'order', '1', 'h',"
        " '{\"steps\": []}', now())",
        (TEMPLATE,),
    )

    assert strays(connection) == [("template", None, None, TEMPLATE)]


def test_a_submission_that_is_in_the_log_is_a_stray(connection: Connection) -> None:
    arguments = ([None], [TASK], ["task.created"], [b"{}"], [0])
    call(connection, "submit_in_callers_transaction", *arguments)
    assert strays(connection) == []

    append(connection, Row(TASK, 1, "task.created", task=TASK))

    assert strays(connection) == [("submission", TASK, None, TASK)]


def test_steps_of_a_template_that_there_is_not_are_strays(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.template_step (template_id, number, step, level, max_attempts,"
        " backoff, parents, children, dependencies, blocking_dependencies)"
        " values (%s, 0, 'a', 0, 3, 'none', '{}', '{}', '{}', '{}')",
        (TEMPLATE,),
    )

    assert strays(connection) == [("template_step", None, None, TEMPLATE)]
    assert call(connection, "remove_orphan_rows") == [1]
    assert strays(connection) == []
