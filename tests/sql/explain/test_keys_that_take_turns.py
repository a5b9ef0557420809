"""keys_that_take_turns: with how many others a task's key shares its template."""

from __future__ import annotations

from typing import Any

from support.sql_calls import Connection, call, new_id, rows_of, task_row

TEMPLATE = new_id()


def waiting(connection: Connection, key: str | None, **changed: Any) -> Any:
    """A pending task with the key."""
    task = new_id()
    values = {"state": "pending", "fairness_key": key, **changed}
    call(connection, "upsert_tasks", rows_of([task_row(task, TEMPLATE, **values)]))
    return task


def test_the_other_keys_of_its_template_and_priority_are_counted(connection: Connection) -> None:
    task = waiting(connection, '"a"')
    for key in ('"a"', '"b"', '"b"', "17", "null"):
        waiting(connection, key)
    waiting(connection, '"c"', priority=1)
    waiting(connection, '"d"', template_id=new_id())
    waiting(connection, '"e"', paused=True)
    waiting(connection, '"f"', state="in_progress")
    waiting(connection, None)

    assert call(connection, "keys_that_take_turns", task, 10) == [3]
    assert call(connection, "keys_that_take_turns", task, 2) == [2]


def test_alone_it_takes_turns_with_nobody(connection: Connection) -> None:
    assert call(connection, "keys_that_take_turns", waiting(connection, "1"), 10) == [0]


def test_who_has_no_key_or_does_not_wait_takes_no_turns(connection: Connection) -> None:
    for task in (waiting(connection, None), waiting(connection, "1", state="complete"), new_id()):
        assert call(connection, "keys_that_take_turns", task, 10) == [None]
