"""repair_shard_positions: where the log says, and what may be passed over is looked at anew."""

from __future__ import annotations

import pytest

from support.builders import NOON
from support.sql_calls import Connection, Row, append, call, new_id, rows_of, table, task_row

TEMPLATE = new_id()


def test_a_position_beyond_the_log_is_put_back_and_what_is_open_is_looked_at_anew(
    connection: Connection,
) -> None:
    unmet, met, ended = new_id(), new_id(), new_id()
    positions = append(
        connection, *(Row(task, 1, "task.created", task=task) for task in (unmet, met, ended))
    )
    rows = [task_row(met, TEMPLATE), task_row(ended, TEMPLATE, ended_at=NOON)]
    call(connection, "upsert_tasks", rows_of(rows))
    connection.execute('update flowledger.shard set "position" = 1000')

    assert call(connection, "repair_shard_positions", [0], [1000], [max(positions)]) == [1]

    assert table(connection, "shard", "position") == [max(positions)]
    wanted = table(connection, "parked_task", "task_id", "wanted")
    assert dict(wanted) == {unmet: True, met: True}


def test_a_position_within_the_log_is_put_elsewhere_and_nothing_more(
    connection: Connection,
) -> None:
    first, last = append(connection, *(Row(task := new_id(), 1, task=task) for _ in range(2)))

    assert call(connection, "repair_shard_positions", [0], [0], [last]) == [1]
    assert call(connection, "repair_shard_positions", [0], [last], [first]) == [1]

    assert table(connection, "shard", "position") == [first]
    assert table(connection, "parked_task", "task_id") == []


def test_one_that_has_moved_on_stays(connection: Connection) -> None:
    append(connection, Row(task := new_id(), 1, "task.created", task=task))

    assert call(connection, "repair_shard_positions", [0], [7], [1]) == [0]
    assert table(connection, "shard", "position") == [0]
    assert table(connection, "parked_task", "task_id") == []


@pytest.mark.parametrize(
    ("created_from", "found", "position", "stands"),
    [
        (None, 5, 9, 5),  # it may have been forgotten meanwhile
        (3, 5, 9, 3),
        (None, 9, 5, None),
        (3, 9, 5, 3),
        (7, 9, 5, None),  # they are behind the position now
    ],
)
def test_tasks_that_were_left_behind_are_met_all_the_same(
    connection: Connection, created_from: int | None, found: int, position: int, stands: int | None
) -> None:
    append(connection, *(Row(task := new_id(), 1, task=task) for _ in range(10)))
    connection.execute(
        "update flowledger.shard set position = %s, created_from = %s", (found, created_from)
    )

    assert call(connection, "repair_shard_positions", [0], [found], [position]) == [1]

    assert table(connection, "shard", "position", "created_from") == [(position, stands)]
