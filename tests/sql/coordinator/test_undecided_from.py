"""undecided_from: from where on facts of a shard may not be decided on."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call


@pytest.mark.parametrize(("created_from", "found"), [(None, 9), (5, 5), (9, 9), (12, 9)])
def test_it_is_where_a_joint_round_left_tasks_behind(
    connection: Connection, created_from: int | None, found: int | None
) -> None:
    connection.execute(
        "update flowledger.shard set position = 9, created_from = %s", (created_from,)
    )

    assert call(connection, "undecided_from", 0) == [found]


def test_of_a_shard_that_is_not_there_nothing_is_known(connection: Connection) -> None:
    assert call(connection, "undecided_from", 7) == [None]
