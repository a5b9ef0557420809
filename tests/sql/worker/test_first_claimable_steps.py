"""first_claimable_steps: the front of the queue, over all of its lanes."""

from __future__ import annotations

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row

TEMPLATE = new_id()


def test_the_lanes_are_merged_by_turn(connection: Connection) -> None:
    rows = [queue_row(new_id(), TEMPLATE, sort_key=key) for key in (3.0, 1.0, 4.0, 2.0)]
    queue(connection, rows[0])
    for lane, row in enumerate(rows[1:], 5):
        call(connection, "open_queue_lane", 0, lane)
        queue(connection, row)

    found = [row[0] for row in call(connection, "first_claimable_steps", 3)]

    assert found == [rows[number]["step_id"] for number in (1, 3, 0)]
    assert [row[0] for row in claim(connection, new_id(), [TEMPLATE], 3)] != []
    assert [row[0] for row in call(connection, "first_claimable_steps", 3)] == [rows[2]["step_id"]]
