"""other_streams: a walk over all streams that finds those of no known task."""

from __future__ import annotations

from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id, uuid7
from support.sql_calls import Connection, Row, append, call, new_id, rows_of, task_row

NO_ID = UUID(int=0)


def test_streams_of_no_task_and_of_unknown_tasks_are_found(connection: Connection) -> None:
    task, unknown, template = uuid7(5, 5), uuid7(7, 7), new_id()
    lost = step_id(unknown, "a")
    append(
        connection,
        *(Row(task, 1, task=task), Row(step_id(task, "a"), 1, task=task)),
        *(Row(lost, 1, task=unknown), Row(template, 1)),
    )

    assert call(connection, "other_streams", NO_ID, 10) == [(4, template, [lost, template])]


def test_a_stream_in_the_range_of_another_task_is_found(connection: Connection) -> None:
    task, other = uuid7(5, 5), uuid7(7, 7)
    stray = step_id(other, "a")
    append(connection, Row(task, 1, task=task), Row(stray, 1, task=task))

    assert call(connection, "other_streams", NO_ID, 10) == [(2, stray, [stray])]


def test_a_task_is_known_by_its_row_too(connection: Connection) -> None:
    task = uuid7(5, 5)
    call(connection, "upsert_tasks", rows_of([task_row(task, new_id())]))
    append(connection, Row(step_id(task, "a"), 1, task=task))

    assert call(connection, "other_streams", NO_ID, 10) == [(1, step_id(task, "a"), [])]


def test_the_walk_goes_on_behind_the_last_stream(connection: Connection) -> None:
    streams = sorted(new_id() for _ in range(3))
    append(connection, *(Row(stream, 1) for stream in streams))

    assert call(connection, "other_streams", NO_ID, 2) == [(2, streams[1], streams[:2])]
    assert call(connection, "other_streams", streams[1], 2) == [(1, streams[2], streams[2:])]
    assert call(connection, "other_streams", streams[2], 2) == [(0, None, [])]
