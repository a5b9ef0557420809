"""task_row: a task's row, where the coordinator has seen it."""

from __future__ import annotations

import json

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, task_row


def test_a_known_task_is_found_as_it_was_stored(connection: Connection) -> None:
    task, template = new_id(), new_id()
    rows = [
        task_row(task, template, correlation="c", ended_at=NOON, paused=True),
        task_row(new_id(), template),
    ]
    call(connection, "upsert_tasks", rows_of(rows))

    assert call(connection, "task_row", task) == [
        (task, template, "shop", "order", "1", "in_progress", 2, True, 0, "c", NOON, NOON, None)
    ]


def test_a_task_that_nobody_named_has_its_own_id_for_it(connection: Connection) -> None:
    task, old = new_id(), new_id()
    rows = [task_row(task, new_id()), task_row(old, new_id(), correlation=str(old))]
    call(connection, "upsert_tasks", rows_of(rows))

    assert [call(connection, "task_row", each)[0][9] for each in (task, old)] == [
        str(task),
        str(old),
    ]
    stored, *_ = call(connection, "rows_of_tasks", [task])
    assert json.loads(stored[2])["correlation_id"] == str(task)
    assert connection.execute(
        "select task_id::text, correlation_id from flowledger_v1.tasks order by 1"
    ).fetchall() == [(str(each), str(each)) for each in sorted((task, old))]


def test_an_unknown_task_has_no_row(connection: Connection) -> None:
    assert call(connection, "task_row", new_id()) == []
