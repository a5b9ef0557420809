"""step_counts_of_task: how many steps are in which state, and some of their names."""

from __future__ import annotations

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, rows_of, step_row

TEMPLATE = new_id()


def test_steps_are_counted_by_state_and_some_are_named(connection: Connection) -> None:
    task = new_id()
    rows = [step_row(task, name, state="complete") for name in "cab"]
    call(connection, "upsert_steps", rows_of([*rows, step_row(task, "d", state="error")]))
    call(connection, "upsert_steps", rows_of([step_row(new_id(), "x")]))

    assert sorted(call(connection, "step_counts_of_task", task, 2)) == [
        ("complete", 3, ["a", "b"]),
        ("error", 1, ["d"]),
    ]


def test_a_claimed_step_runs_before_the_coordinator_hears_of_it(connection: Connection) -> None:
    task = new_id()
    call(connection, "upsert_steps", rows_of([step_row(task, "a"), step_row(task, "b")]))
    queue(connection, queue_row(task, TEMPLATE, "a", priority=1), queue_row(task, TEMPLATE, "b"))
    claim(connection, new_id(), [TEMPLATE], 1)

    assert sorted(call(connection, "step_counts_of_task", task, 5)) == [
        ("enqueued", 1, ["b"]),
        ("in_progress", 1, ["a"]),
    ]


def test_an_unknown_task_has_no_progress(connection: Connection) -> None:
    assert call(connection, "step_counts_of_task", new_id(), 5) == []
