"""What is the same of add_shard_step_counts and add_shard_task_counts."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call, table

COUNTED = [
    ("add_shard_step_counts", "steps_pending", 9),
    ("add_shard_task_counts", "tasks_pending", 10),
]
counted = pytest.mark.parametrize(("function", "column", "places"), COUNTED)


@counted
def test_a_shard_counts_in_a_row_of_its_own(
    connection: Connection, function: str, column: str, places: int
) -> None:
    for shard, change in ((0, 5), (3, 2), (3, -7)):
        call(connection, function, shard, [change, *[0] * (places - 1)])

    assert table(connection, "state_count", "shard", column) == [(0, 5), (3, -5)]


@counted
def test_where_nothing_changed_nothing_is_written(
    connection: Connection, function: str, column: str, places: int
) -> None:
    call(connection, function, 7, [0] * places)

    assert table(connection, "state_count", "shard", column) == [(0, 0)]
