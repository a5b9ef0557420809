"""count_tasks: how many tasks are in which state, counted by shard."""

from __future__ import annotations

from support.sql_calls import Connection, call, state_counts, table

NOTHING = [0] * 10


def test_each_state_has_its_place(connection: Connection) -> None:
    states: list[str] = call(connection, "task_states")[0]

    call(connection, "count_tasks", 0, [*range(1, 11)])

    expected = {f"tasks_{state}": n for n, state in enumerate(states, start=1)}
    assert state_counts(connection) == {**expected, "tasks_paused": 9, "steps_of_tasks": 10}


def test_a_shard_counts_in_a_row_of_its_own(connection: Connection) -> None:
    for shard, change in ((0, 5), (3, 2), (3, -7)):
        call(connection, "count_tasks", shard, [change, *NOTHING[1:]])

    assert table(connection, "state_count", "shard", "tasks_pending") == [(0, 5), (3, -5)]


def test_where_nothing_changed_nothing_is_written(connection: Connection) -> None:
    call(connection, "count_tasks", 7, NOTHING)

    assert table(connection, "state_count", "shard") == [0]
