"""slot_holders: which steps hold slots of limits, the first that were queued first."""

from __future__ import annotations

from flowledger.engine.domain.deterministic_ids import step_id
from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, rows_of


def test_the_first_holders_of_each_limit_are_named(connection: Connection) -> None:
    task, template, worker = new_id(), new_id(), new_id()
    for name in "cab":
        queue(connection, queue_row(task, template, name))
    holders = [{"step_id": step_id(task, name), "keys": ["k", "l"]} for name in "abc"]
    call(connection, "set_slots_of_steps", rows_of(holders), "{}")
    claim(connection, worker, [template], 1)

    found = call(connection, "slot_holders", ["k", "none"], 2)

    assert found == [
        ("k", step_id(task, "c"), task, "c", worker),
        ("k", step_id(task, "a"), task, "a", None),
    ]
    assert len(call(connection, "slot_holders", ["k", "l"], 9)) == 6
