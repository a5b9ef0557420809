"""open_queue_lane: what is queued next is apart from what lingers."""

from __future__ import annotations

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, table

TEMPLATE = new_id()
SHARD = 0


def lanes(connection: Connection) -> list[int]:
    return sorted(lane for shard, lane in table(connection, "queue_lane", "shard", "lane"))


def test_the_next_steps_are_queued_in_it(connection: Connection) -> None:
    call(connection, "open_queue_lane", SHARD, 7)
    queue(connection, queue_row(new_id(), TEMPLATE))

    assert table(connection, "queue", "lane") == [7]


def test_lanes_without_an_unclaimed_step_are_forgotten(connection: Connection) -> None:
    call(connection, "open_queue_lane", SHARD, 7)
    queue(connection, queue_row(new_id(), TEMPLATE))
    call(connection, "open_queue_lane", SHARD, 8)
    assert lanes(connection) == [7, 8]

    claim(connection, new_id(), [TEMPLATE], 1)
    call(connection, "open_queue_lane", SHARD, 9)

    assert lanes(connection) == [9]


def test_there_are_eight_at_most_and_none_of_their_steps_is_lost(connection: Connection) -> None:
    steps = [queue_row(new_id(), TEMPLATE, sort_key=float(n)) for n in range(12)]
    for number, row in enumerate(steps, 1):
        call(connection, "open_queue_lane", SHARD, number)
        queue(connection, row)

    assert len(lanes(connection)) == 8
    claimed = claim(connection, new_id(), [TEMPLATE], 100)
    assert {row[0] for row in claimed} == {row["step_id"] for row in steps}


def test_each_shard_has_its_own(connection: Connection) -> None:
    call(connection, "open_queue_lane", 0, 7)
    call(connection, "open_queue_lane", 1, 9)
    queue(connection, queue_row(new_id(), TEMPLATE))

    assert table(connection, "queue", "lane") == [7]
    assert lanes(connection) == [7, 9]
