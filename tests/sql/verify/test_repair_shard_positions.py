"""repair_shard_positions: back to the end of the log, and what is open is looked at anew."""

from __future__ import annotations

from support.builders import NOON
from support.sql_calls import Connection, Row, append, call, new_id, rows_of, table, task_row

TEMPLATE = new_id()


def test_a_position_beyond_the_log_is_put_to_its_end(connection: Connection) -> None:
    unmet, met, ended = new_id(), new_id(), new_id()
    positions = append(
        connection, *(Row(task, 1, "task.created", task=task) for task in (unmet, met, ended))
    )
    rows = [task_row(met, TEMPLATE), task_row(ended, TEMPLATE, ended_at=NOON)]
    call(connection, "upsert_tasks", rows_of(rows))
    connection.execute('update flowledger.shard set "position" = 1000')

    assert call(connection, "repair_shard_positions") == [1]

    assert table(connection, "shard", "position") == [max(positions)]
    wanted = table(connection, "parked_task", "task_id", "wanted")
    assert dict(wanted) == {unmet: True, met: True}


def test_others_stay(connection: Connection) -> None:
    append(connection, Row(task := new_id(), 1, "task.created", task=task))

    assert call(connection, "repair_shard_positions") == [0]
    assert table(connection, "shard", "position") == [0]
    assert table(connection, "parked_task", "task_id") == []
