"""find_held_steps: what of a task is ready and was not admitted, and why."""

from __future__ import annotations

from datetime import timedelta

from board import Connection, call, new_id, now, rows_of

from flowledger.engine.domain.ids import step_id


def test_the_held_steps_of_a_task_are_found_with_what_holds_them(connection: Connection) -> None:
    task, other, since = new_id(), new_id(), now(connection)
    until = since + timedelta(seconds=5)
    held = [(task, "b", "rate", until), (task, "a", "slot", None), (other, "a", "slot", None)]
    rows = [
        {
            "step_id": step_id(of, name),
            "task_id": of,
            "step": name,
            "kind": kind,
            "limit_key": f"{kind} key",
            "turn": 1.0,
            "since": since,
            "until": at,
            "demand": {},
        }
        for of, name, kind, at in held
    ]
    call(connection, "store_held_steps", rows_of(rows))

    assert call(connection, "find_held_steps", task) == [
        ("a", "slot", "slot key", since, None),
        ("b", "rate", "rate key", since, until),
    ]
    assert call(connection, "find_held_steps", new_id()) == []
