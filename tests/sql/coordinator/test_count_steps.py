"""count_steps: how many steps are in which state, counted by shard."""

from __future__ import annotations

from support.sql_calls import Connection, Others, call, state_counts, table, wait_until_blocked

NOTHING = [0] * 9


def test_each_state_has_its_place(connection: Connection) -> None:
    states: list[str] = call(connection, "step_states")[0]

    call(connection, "count_steps", 0, [*range(1, 10)])

    assert state_counts(connection) == {
        f"steps_{state}": n for n, state in enumerate(states, start=1)
    }


def test_a_shard_counts_in_a_row_of_its_own(connection: Connection) -> None:
    for shard, change in ((0, 5), (3, 2), (3, -7)):
        call(connection, "count_steps", shard, [0, change, *NOTHING[2:]])

    assert table(connection, "state_count", "shard", "steps_enqueued") == [(0, 5), (3, -5)]
    assert state_counts(connection) == {}


def test_where_nothing_changed_nothing_is_written(connection: Connection) -> None:
    call(connection, "count_steps", 7, NOTHING)

    assert table(connection, "state_count", "shard") == [0]


def test_shards_do_not_wait_for_one_another(connection: Connection, others: Others) -> None:
    call(connection, "count_steps", 1, [0, 1, *NOTHING[2:]])
    with others.begin() as first:
        call(first, "count_steps", 0, [0, 1, *NOTHING[2:]])

        call(connection, "count_steps", 1, [0, 1, *NOTHING[2:]])
        same = others.later("count_steps", 0, [0, 1, *NOTHING[2:]])
        wait_until_blocked(connection)

    same.result(timeout=30)
    assert state_counts(connection) == {"steps_enqueued": 4}
