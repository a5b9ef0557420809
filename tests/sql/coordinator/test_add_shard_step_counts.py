"""add_shard_step_counts: how many steps are in which state, counted by shard."""

from __future__ import annotations

from support.sql_calls import Connection, Others, call, state_counts, wait_until_blocked

NOTHING = [0] * 9


def test_each_state_has_its_place(connection: Connection) -> None:
    states: list[str] = call(connection, "ordered_step_states")[0]

    call(connection, "add_shard_step_counts", 0, [*range(1, 10)])

    assert state_counts(connection) == {
        f"steps_{state}": n for n, state in enumerate(states, start=1)
    }


def test_shards_do_not_wait_for_one_another(connection: Connection, others: Others) -> None:
    call(connection, "add_shard_step_counts", 1, [0, 1, *NOTHING[2:]])
    with others.begin() as first:
        call(first, "add_shard_step_counts", 0, [0, 1, *NOTHING[2:]])

        call(connection, "add_shard_step_counts", 1, [0, 1, *NOTHING[2:]])
        same = others.later("add_shard_step_counts", 0, [0, 1, *NOTHING[2:]])
        wait_until_blocked(connection)

    same.result(timeout=30)
    assert state_counts(connection) == {"steps_enqueued": 4}


def test_counts_that_are_as_high_as_can_be_are_counted_from_none(connection: Connection) -> None:
    call(connection, "add_shard_step_counts", 0, [1, *NOTHING[1:]])
    connection.execute(
        "update flowledger.state_count set steps_pending = 1000000000000,"
        " steps_enqueued = -1000000000000, tasks_pending = 1000000000000"
    )

    call(connection, "add_shard_step_counts", 0, [2, -3, *NOTHING[2:]])

    assert state_counts(connection) == {"steps_pending": 2, "steps_enqueued": -3}
