"""waiting_steps_of_task: what of a task is ready and was not admitted, why, and who comes before
it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id
from support.limits import NO_DEMAND
from support.sql_calls import Connection, call, new_id, now, rows_of

ONE_SLOT = {**NO_DEMAND, "slots": [["slot key", 1]]}


def held(task: UUID, name: str, since: datetime, **changed: Any) -> dict[str, Any]:
    row = {
        "step_id": step_id(task, name),
        "task_id": task,
        "step": name,
        "kind": "slot",
        "limit_key": "slot key",
        "sort_key": 1.0,
        "since": since,
        "until": None,
        "demand": ONE_SLOT,
    }
    return {**row, **changed}


def test_the_held_steps_of_a_task_are_found_with_what_holds_them(connection: Connection) -> None:
    task, other, since = new_id(), new_id(), now(connection)
    until = since + timedelta(seconds=5)
    rate = {"kind": "rate", "limit_key": "rate key", "until": until, "demand": NO_DEMAND}
    rows = [held(task, "b", since, **rate), held(task, "a", since), held(other, "a", since)]
    call(connection, "store_waiting_steps", rows_of(rows))

    assert call(connection, "waiting_steps_of_task", task, 10) == [
        ("a", "slot", "slot key", since, None, ONE_SLOT, 0),
        ("b", "rate", "rate key", since, until, NO_DEMAND, 0),
    ]
    assert call(connection, "waiting_steps_of_task", new_id(), 10) == []


def test_who_waits_for_the_same_before_is_counted_up_to_a_limit(connection: Connection) -> None:
    task, other, since = new_id(), new_id(), now(connection)
    rows = [held(task, "a", since, sort_key=5.0)]
    rows += [
        held(other, name, since, sort_key=float(sort_key)) for sort_key, name in enumerate("abcxyz")
    ]
    rows += [held(other, "else", since, sort_key=0.0, limit_key="another")]
    call(connection, "store_waiting_steps", rows_of(rows))

    before = [call(connection, "waiting_steps_of_task", task, most)[0][-1] for most in (100, 3)]

    assert before == [5, 3]


def test_of_steps_that_take_turns_as_many_of_each_other_key_come_before(
    connection: Connection,
) -> None:
    task, other, since = new_id(), new_id(), now(connection)

    def shared(owner: UUID, name: str, sort_key: float, *share: object) -> dict[str, Any]:
        demand = {**ONE_SLOT, "share": [*share]}
        return held(owner, name, since, sort_key=sort_key, demand=demand)

    rows = [shared(task, "a", 90.0, 0, "b", 1), shared(other, "first", 80.0, 0, "b", 1)]
    rows += [shared(other, f"many {n}", float(n), 0, "a", 1) for n in range(9)]
    rows += [shared(other, "one", 95.0, 0, "c", 1), shared(other, "else", 0.0, 1, "d", 1)]
    call(connection, "store_waiting_steps", rows_of(rows))

    before = [call(connection, "waiting_steps_of_task", task, most)[0][-1] for most in (100, 3)]

    assert before == [1 + 2 + 1, 3]
