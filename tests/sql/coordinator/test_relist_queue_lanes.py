"""relist_queue_lanes: a lane that nobody knows of is found by its steps."""

from __future__ import annotations

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, table

TEMPLATE = new_id()


def test_steps_of_a_lane_that_nobody_knows_are_claimed_again(connection: Connection) -> None:
    for lane in (7, 9):
        call(connection, "open_queue_lane", 0, lane)
        queue(connection, queue_row(new_id(), TEMPLATE))
    connection.execute("delete from flowledger.queue_lane")
    assert claim(connection, new_id(), [TEMPLATE], 10) == []

    assert call(connection, "relist_queue_lanes", 0) == [2]

    assert len(claim(connection, new_id(), [TEMPLATE], 10)) == 2


def test_what_is_known_is_left(connection: Connection) -> None:
    call(connection, "open_queue_lane", 1, 7)
    queue(connection, queue_row(new_id(), TEMPLATE))
    connection.execute("update flowledger.queue set lane = 7")

    assert call(connection, "relist_queue_lanes", 0) == [0]
    assert table(connection, "queue_lane", "shard", "lane") == [(1, 7)]
