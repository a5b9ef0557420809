"""add_shard_task_counts: how many tasks are in which state, counted by shard."""

from __future__ import annotations

from support.sql_calls import Connection, call, state_counts


def test_each_state_has_its_place(connection: Connection) -> None:
    states: list[str] = call(connection, "ordered_task_states")[0]

    call(connection, "add_shard_task_counts", 0, [*range(1, 11)])

    expected = {f"tasks_{state}": n for n, state in enumerate(states, start=1)}
    assert state_counts(connection) == {**expected, "tasks_paused": 9, "steps_of_tasks": 10}


def test_counts_that_are_as_high_as_can_be_are_counted_from_none(connection: Connection) -> None:
    call(connection, "add_shard_task_counts", 0, [1] * 10)
    connection.execute(
        "update flowledger.state_count set tasks_pending = 1000000000000,"
        " steps_of_tasks = 1000000000000, steps_pending = 1000000000000"
    )

    call(connection, "add_shard_task_counts", 0, [2, *[-1] * 8, 3])

    assert state_counts(connection) == {"tasks_pending": 2, "steps_of_tasks": 3}
