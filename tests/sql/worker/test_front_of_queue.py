"""front_of_queue: what any worker may claim next, by its sort key."""

from __future__ import annotations

from math import inf

import pytest

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row

MINE, FOREIGN = new_id(), new_id()


def front(connection: Connection, *asked: object) -> float:
    (found,) = call(connection, "front_of_queue", [MINE], *asked)
    assert isinstance(found, float)
    return found


def test_where_nothing_is_queued_it_is_infinite(connection: Connection) -> None:
    assert front(connection) == inf


def test_it_is_the_smallest_that_is_free_to_all_of_these_templates(connection: Connection) -> None:
    queue(connection, queue_row(new_id(), MINE, sort_key=-1.0, exclusive=True))
    queue(connection, queue_row(new_id(), FOREIGN, sort_key=-2.0))
    queue(connection, queue_row(new_id(), MINE, sort_key=3.0))
    queue(connection, queue_row(new_id(), MINE, sort_key=1.0))

    assert front(connection) == 1.0


def test_what_is_claimed_is_not_in_it(connection: Connection) -> None:
    connection.execute(
        "insert into flowledger.template values (%s, 'n', 't', '1', 'h', '{}', now())", (MINE,)
    )
    queue(connection, queue_row(new_id(), MINE, sort_key=1.0))
    queue(connection, queue_row(new_id(), MINE, sort_key=2.0))
    claim(connection, new_id(), [MINE], 1)

    assert front(connection) == 2.0


@pytest.mark.parametrize(("near", "found"), [([0], 1.0), ([1], 2.0), ([0, 1], 1.0), (None, 1.0)])
def test_a_step_of_a_shard_that_is_far_counts_as_younger(
    connection: Connection, near: list[int] | None, found: float
) -> None:
    connection.execute("insert into flowledger.queue_lane (shard, lane) values (1, 9)")
    queue(connection, queue_row(new_id(), MINE, sort_key=1.0))
    far = queue_row(new_id(), MINE, sort_key=2.0)
    queue(connection, far)
    connection.execute("update flowledger.queue set lane = 9 where step_id = %s", (far["step_id"],))

    assert front(connection, near, 5.0) == found
