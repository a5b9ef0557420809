"""store_waiting_steps: steps that were not admitted, once each."""

from __future__ import annotations

from support.limits import waiting_row
from support.sql_calls import Connection, call, new_id, rows_of, table

TASK = new_id()


def test_a_step_is_held_once_for_what_held_it_last(connection: Connection) -> None:
    call(
        connection, "store_waiting_steps", rows_of([waiting_row(TASK, "a"), waiting_row(TASK, "b")])
    )
    again = waiting_row(TASK, "a", kind="circuit", limit_key="bank", sort_key=7.0)

    call(connection, "store_waiting_steps", rows_of([again]))

    assert table(connection, "waiting_step", "step", "kind", "limit_key", "sort_key") == [
        ("a", "circuit", "bank", 7.0),
        ("b", "slot", "k", 0.0),
    ]
