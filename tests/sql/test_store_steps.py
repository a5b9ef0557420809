"""store_steps: the readiness of steps, one row each."""

from __future__ import annotations

from board import NOON, Connection, call, new_id, rows_of, step_row, table

FIELDS = ("task_id", "step", "state", "attempt", "stream_version", "due_at")


def test_rows_are_stored_and_replaced(connection: Connection) -> None:
    task = new_id()
    first = [step_row(task, "a"), step_row(task, "b")]
    call(connection, "store_steps", rows_of(first))
    changed = step_row(task, "b", state="waiting_for_retry", attempt=2, version=5, due_at=NOON)

    call(connection, "store_steps", rows_of([changed, step_row(task, "日本", state="complete")]))

    assert sorted(table(connection, "step", *FIELDS), key=lambda row: row[1]) == [
        (task, "a", "enqueued", 0, 1, None),
        (task, "b", "waiting_for_retry", 2, 5, NOON),
        (task, "日本", "complete", 0, 1, None),
    ]


def test_a_due_time_goes_when_it_is_over(connection: Connection) -> None:
    task = new_id()
    call(connection, "store_steps", rows_of([step_row(task, due_at=NOON)]))

    call(connection, "store_steps", rows_of([step_row(task)]))

    assert table(connection, "step", "due_at") == [None]


def test_steps_of_other_tasks_are_left_alone(connection: Connection) -> None:
    one, two = new_id(), new_id()
    call(connection, "store_steps", rows_of([step_row(one), step_row(two)]))

    call(connection, "store_steps", rows_of([step_row(one, state="complete")]))

    assert set(table(connection, "step", "task_id", "state")) == {
        (one, "complete"),
        (two, "enqueued"),
    }
