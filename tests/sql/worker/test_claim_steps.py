"""claim_steps: by turn and then age, each step to one worker."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from support.sql_calls import (
    Connection,
    Others,
    call,
    claim,
    new_id,
    queue,
    queue_row,
    renew,
    table,
)

MINE, FOREIGN = new_id(), new_id()


def claimed(connection: Connection, limit: int, worker: UUID | None = None) -> list[UUID]:
    rows = claim(connection, worker or new_id(), [MINE], limit)
    return [row[1] for row in rows]


def queued(connection: Connection, *turns: float, exclusive: bool = False) -> list[UUID]:
    """Tasks with a step in the queue, oldest first, of a template that is registered."""
    connection.execute(
        "insert into flowledger.template values (%s, 'n', 't', '1', 'h', '{}', now())"
        " on conflict do nothing",
        (MINE,),
    )
    tasks = [new_id() for _ in turns]
    for task, sort_key in zip(tasks, turns, strict=True):
        queue(connection, queue_row(task, MINE, sort_key=sort_key, exclusive=exclusive))
    return tasks


def test_a_claim_says_what_is_to_run_and_whose_it_is(connection: Connection) -> None:
    worker, task = new_id(), new_id()
    row = queue_row(task, MINE, "pack", version=5, attempt=3, resets=2, correlation="order 7")
    queue(connection, row)

    (found,) = claim(connection, worker, [MINE], 10)

    assert found == (row["step_id"], task, MINE, 5, 3, "pack", "order 7", 2)
    assert table(connection, "queue", "worker_id") == [worker]


def test_the_task_is_its_own_correlation_where_none_was_given(connection: Connection) -> None:
    (task,) = queued(connection, 0)

    assert claim(connection, new_id(), [MINE], 10)[0][6] == str(task)


def test_a_smaller_turn_goes_first_and_age_decides_among_equals(connection: Connection) -> None:
    last, old, new, first = queued(connection, 1.5, 0, 0, -9)

    assert [claimed(connection, 1)[0] for _ in range(4)] == [first, old, new, last]


def test_no_more_than_the_limit_is_claimed(connection: Connection) -> None:
    queued(connection, 0, 0, 0)

    assert len(claimed(connection, 2)) == 2
    assert len(claimed(connection, 2)) == 1
    assert claimed(connection, 2) == []


def test_steps_of_unknown_templates_stay(connection: Connection) -> None:
    task = new_id()
    queue(connection, queue_row(task, FOREIGN))

    assert claimed(connection, 10) == []
    assert [r[1] for r in claim(connection, new_id(), [MINE, FOREIGN], 1)] == [task]


def test_a_worker_without_templates_claims_nothing(connection: Connection) -> None:
    queued(connection, 0)

    assert claim(connection, new_id(), [], 10) == []


def test_two_claimers_at_once_never_get_the_same_step(
    connection: Connection, others: Others
) -> None:
    tasks = queued(connection, *[0] * 10)
    with others.begin() as first:
        mine = claimed(first, 4)
        theirs = claimed(connection, 100)

    assert set(mine) == set(tasks[:4])
    assert set(theirs) == set(tasks[4:])
    assert claimed(connection, 100) == []


def test_many_claimers_share_the_queue_without_overlap(
    connection: Connection, others: Others
) -> None:
    tasks = queued(connection, *[0] * 60)

    worker = new_id()
    renew(connection, worker, 60.0)

    rounds = [others.later("claim_steps", worker, [MINE], 7) for _ in range(12)]
    found = [row[1] for one in rounds for row in one.result(timeout=30)]
    found += claimed(connection, 100)

    assert sorted(found) == sorted(tasks)


def test_a_claim_that_is_rolled_back_leaves_the_step_to_others(
    connection: Connection, others: Others
) -> None:
    tasks = queued(connection, 0)
    first = others.begin()
    assert claimed(first, 1) == tasks
    first.rollback()

    assert claimed(connection, 1) == tasks
    first.close()


def test_a_claim_waits_for_the_disk(connection: Connection) -> None:
    queued(connection, 0)

    with connection.transaction():
        assert len(claim(connection, new_id(), [MINE], 1)) == 1
        assert connection.execute("show synchronous_commit").fetchone() == ("on",)


def test_a_step_that_is_to_run_alone_is_left_to_an_isolated_worker(connection: Connection) -> None:
    worker = new_id()
    renew(connection, worker, 60)
    suspects = queued(connection, 0, 1, exclusive=True)
    others = queued(connection, 2, 3)
    assert claimed(connection, 10, worker) == others

    assert call(connection, "elect_isolated_worker", worker, [MINE]) == [True]

    assert [claimed(connection, 10, worker) for _ in range(3)] == [[suspects[0]], [suspects[1]], []]


def test_an_isolated_worker_takes_nothing_else(connection: Connection) -> None:
    worker = new_id()
    renew(connection, worker, 60)
    queued(connection, 0, exclusive=True)
    call(connection, "elect_isolated_worker", worker, [MINE])
    claimed(connection, 1, worker)

    queued(connection, 0)

    assert claimed(connection, 10, worker) == []


def test_a_worker_that_nobody_knows_claims_nothing(connection: Connection) -> None:
    queued(connection, 0)

    assert call(connection, "claim_steps", new_id(), [MINE], 1) == []


def test_a_worker_whose_lease_has_run_out_claims_nothing_until_it_is_renewed(
    connection: Connection,
) -> None:
    worker, tasks = new_id(), queued(connection, 0)
    renew(connection, worker, 30.0)
    call(connection, "advance_test_clock", timedelta(seconds=30))
    assert claimed(connection, 1, worker) == []

    renew(connection, worker, 30.0)

    assert claimed(connection, 1, worker) == tasks


@pytest.mark.parametrize(
    ("near", "locality", "order"),
    [
        (None, 5.0, "abc"),
        ([0, 1], 5.0, "abc"),
        ([0], 5.0, "acb"),
        ([1], 5.0, "bac"),
        ([1], 0.5, "abc"),
    ],
)
def test_steps_of_shards_that_are_near_go_before_a_little_older_ones(
    connection: Connection, near: list[int] | None, locality: float, order: str
) -> None:
    connection.execute("insert into flowledger.queue_lane (shard, lane) values (1, 9)")
    tasks = dict(zip("abc", queued(connection, 1.0, 2.0, 3.0), strict=True))
    connection.execute("update flowledger.queue set lane = 9 where task_id = %s", (tasks["b"],))
    worker = new_id()
    renew(connection, worker, 60)

    claims = [
        call(connection, "claim_steps", worker, [MINE], 1, near, locality)[0][1] for _ in order
    ]

    assert claims == [tasks[name] for name in order]
