"""check_claims_and_record_heartbeats: what a worker still holds, and the heartbeats that it
brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from support.sql_calls import (
    Connection,
    Others,
    call,
    claim,
    drop,
    new_id,
    now,
    queue,
    queue_row,
    table,
    wait_until_blocked,
)

TEMPLATE = new_id()


@pytest.fixture
def worker() -> UUID:
    return new_id()


@pytest.fixture
def steps(connection: Connection, worker: UUID) -> list[UUID]:
    """Three steps that the worker has claimed, by id."""
    for _ in range(3):
        queue(connection, queue_row(new_id(), TEMPLATE, version=4, attempt=2))
    rows = claim(connection, worker, [TEMPLATE], 3)
    return sorted(row[0] for row in rows)


def watch(
    connection: Connection, worker: UUID, steps: Sequence[UUID], *details: str | None
) -> list[Any]:
    given = [*details, *[None] * (len(steps) - len(details))]
    return sorted(
        call(connection, "check_claims_and_record_heartbeats", worker, list(steps), given)
    )


def test_it_says_where_the_streams_stand(
    connection: Connection, worker: UUID, steps: list[UUID]
) -> None:
    """The start moved them on by one."""
    assert watch(connection, worker, steps) == [(step, 5, 2, False, None) for step in steps]
    assert table(connection, "queue", "heartbeat_at") == [None] * 3


def test_a_step_that_shall_stop_is_one_event_further_on(
    connection: Connection, worker: UUID, steps: list[UUID]
) -> None:
    call(connection, "signal_cancel", [steps[1]])

    assert watch(connection, worker, steps)[1] == (steps[1], 6, 2, True, None)


def test_steps_of_others_and_steps_that_are_gone_are_left_out(
    connection: Connection, worker: UUID, steps: list[UUID]
) -> None:
    drop(connection, steps[0])
    connection.execute(
        "update flowledger.queue set worker_id = %s where step_id = %s", (new_id(), steps[1])
    )

    found = watch(connection, worker, steps, None, '{"not": "mine"}')

    assert [row[0] for row in found] == [steps[2]]
    assert table(connection, "queue", "heartbeat_details") == [None, None]


def test_a_heartbeat_is_noted_with_its_time_and_kept_until_the_next(
    connection: Connection, worker: UUID, steps: list[UUID]
) -> None:
    before = now(connection)
    watch(connection, worker, steps, None, '{"rows": 7}', "null")
    watch(connection, worker, steps)

    noted = {
        row[0]: row[1:]
        for row in table(connection, "queue", "step_id", "heartbeat_details", "heartbeat_at")
    }
    assert noted[steps[0]] == (None, None)
    assert noted[steps[1]][0] == {"rows": 7}
    assert noted[steps[1]][1] >= before
    assert noted[steps[2]][0] is None
    assert noted[steps[2]][1] >= before


def test_heartbeats_lock_rows_in_the_order_of_their_ids(
    connection: Connection, others: Others, worker: UUID, steps: list[UUID]
) -> None:
    """Whoever holds the first row keeps it from the last, which somebody else may then take."""
    with others.begin() as first:
        first.execute("select from flowledger.queue where step_id = %s for update", (steps[0],))
        beats = others.later(
            "check_claims_and_record_heartbeats", worker, steps[::-1], ["1", "2", "3"]
        )
        wait_until_blocked(connection)
        free = connection.execute(
            "select step_id from flowledger.queue where step_id = any (%s)"
            " order by step_id for update skip locked",
            (steps[1:],),
        ).fetchall()

    assert [step for (step,) in free] == steps[1:]
    assert len(beats.result(timeout=30)) == 3
