"""creations_left_behind: from where on created tasks are to be decided on yet."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call


@pytest.mark.parametrize(("created_from", "found"), [(None, None), (5, 5), (9, None), (12, None)])
def test_it_is_where_a_joint_round_left_tasks_behind(
    connection: Connection, created_from: int | None, found: int | None
) -> None:
    connection.execute(
        "update flowledger.shard set position = 9, created_from = %s", (created_from,)
    )

    assert call(connection, "creations_left_behind", 0) == [found]


def test_of_a_shard_that_is_not_there_nothing_is_known(connection: Connection) -> None:
    assert call(connection, "creations_left_behind", 7) == [None]
