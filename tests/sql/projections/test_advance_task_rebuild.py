"""advance_task_rebuild: how far a rebuild of tasks is, and how it ended."""

from __future__ import annotations

from uuid import UUID

import pytest

from support.generation_rows import later
from support.sql_calls import Connection, call, new_id, table

TASK = new_id()


@pytest.fixture
def asked(connection: Connection) -> int:
    """A rebuild of a template that is asked for."""
    number: int = call(connection, "request_tasks_rebuild", "money", None, new_id())[0]
    return number


def advance(
    connection: Connection, number: int, task: UUID | None, tasks: int, error: str | None = None
) -> None:
    call(connection, "advance_task_rebuild", number, task, tasks, error)


def test_it_counts_its_tasks_and_remembers_the_last(connection: Connection, asked: int) -> None:
    advance(connection, asked, new_id(), 2)
    advance(connection, asked, TASK, 3)

    rows = table(connection, "projection_rebuild", "state", "tasks", "after_task", "ended_at")
    assert rows == [("asked", 5, TASK, None)]


def test_it_is_done_where_there_is_no_next_task(connection: Connection, asked: int) -> None:
    advance(connection, asked, TASK, 3)
    advance(connection, asked, None, 0)

    assert call(connection, "task_rebuild_request_status", asked) == [("done", 3, None)]
    assert table(connection, "projection_rebuild", "ended_at") != [None]


def test_it_has_failed_where_there_is_an_error(connection: Connection, asked: int) -> None:
    advance(connection, asked, None, 0, "broken")

    assert call(connection, "task_rebuild_request_status", asked) == [("failed", 0, "broken")]


def test_what_was_cancelled_stays_cancelled(connection: Connection, asked: int) -> None:
    call(connection, "cancel_rebuilds", "money")
    later(connection, 5)

    advance(connection, asked, None, 9)

    assert call(connection, "task_rebuild_request_status", asked) == [("cancelled", 0, None)]


@pytest.mark.parametrize("counted", [10**12, 2**63 - 1, -(2**63)])
def test_a_count_that_cannot_be_counted_on_from_is_counted_from_none(
    connection: Connection, asked: int, counted: int
) -> None:
    connection.execute(
        "alter table flowledger.projection_rebuild drop constraint projection_rebuild_tasks_check"
    )
    connection.execute("update flowledger.projection_rebuild set tasks = %s", (counted,))

    advance(connection, asked, TASK, 3)

    assert call(connection, "task_rebuild_request_status", asked) == [("asked", 3, None)]
