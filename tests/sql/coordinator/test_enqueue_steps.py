"""enqueue_steps: one row a step, claimable, and workers that know of it."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import (
    Connection,
    call,
    claim,
    drop,
    heard,
    new_id,
    queue,
    queue_row,
    rows_of,
    table,
)

TEMPLATE = new_id()


def test_rows_are_stored_as_given(connection: Connection) -> None:
    row = queue_row(
        new_id(),
        TEMPLATE,
        "pack it",
        version=3,
        sort_key=-2.5,
        attempt=4,
        resets=1,
        correlation="c",
    )

    queue(connection, row)

    fields = ("step_id", "task_id", "template_id", "stream_version", "sort_key", "attempt")
    rest = ("resets", "exclusive", "cancelling", "step", "correlation_id", "worker_id")
    assert table(connection, "queue", *fields, *rest) == [
        (
            row["step_id"],
            row["task_id"],
            TEMPLATE,
            3,
            -2.5,
            4,
            1,
            False,
            False,
            "pack it",
            "c",
            None,
        )
    ]


def test_a_step_is_to_run_alone_where_the_row_says_so(connection: Connection) -> None:
    row = queue_row(new_id(), TEMPLATE, exclusive=True)
    del (without := queue_row(new_id(), TEMPLATE))["exclusive"]

    queue(connection, row, without)

    exclusive = dict(table(connection, "queue", "step_id", "exclusive"))
    assert exclusive == {row["step_id"]: True, without["step_id"]: False}


def test_a_step_that_is_queued_already_is_refused_with_its_neighbours(
    connection: Connection,
) -> None:
    there = queue_row(new_id(), TEMPLATE)
    queue(connection, there)
    claim(connection, new_id(), [TEMPLATE], 10)
    before = table(connection, "queue", "step_id", "worker_id", "stream_version")

    with pytest.raises(psycopg.errors.UniqueViolation):
        queue(connection, queue_row(new_id(), TEMPLATE), {**there, "version": 9})

    assert table(connection, "queue", "step_id", "worker_id", "stream_version") == before


def test_a_step_that_was_dropped_and_queued_anew_goes_behind_the_others(
    connection: Connection,
) -> None:
    again, behind = queue_row(new_id(), TEMPLATE), queue_row(new_id(), TEMPLATE)
    queue(connection, again, behind)

    drop(connection, again["step_id"])
    queue(connection, {**again, "version": 9, "attempt": 2})

    found = [claim(connection, new_id(), [TEMPLATE], 1)[0] for _ in range(2)]
    assert [row[0] for row in found] == [behind["step_id"], again["step_id"]]
    assert found[1][3:5] == (9, 2)


def test_workers_are_woken(connection: Connection, other: Connection) -> None:
    rows = rows_of([queue_row(new_id(), TEMPLATE)])

    assert heard(other, "queue", connection, "enqueue_steps", rows) == [""]


def test_after_two_thousand_steps_there_is_a_new_lane(connection: Connection) -> None:
    for _ in range(3):
        queue(connection, *(queue_row(new_id(), TEMPLATE) for _ in range(1_500)))

    lanes = table(connection, "queue", "lane")
    assert lanes.count(0) == 3_000
    assert lanes.count(3_001) == 1_500
    assert table(connection, "queue_lane", "shard", "lane") == [(0, 3_001)]
    assert len(claim(connection, new_id(), [TEMPLATE], 10_000)) == 4_500


def test_another_shard_has_a_lane_of_its_own_from_its_second_batch_on(
    connection: Connection,
) -> None:
    for _ in range(2):
        call(connection, "enqueue_steps", rows_of([queue_row(new_id(), TEMPLATE)]), 1)

    assert table(connection, "queue", "lane") == [0, 2]
    assert table(connection, "queue_lane", "shard", "lane") == [(1, 2)]


def test_a_row_that_names_a_worker_is_its_own_from_the_first(connection: Connection) -> None:
    worker = new_id()
    queue(connection, {**queue_row(new_id(), TEMPLATE), "worker": worker})

    assert table(connection, "queue", "worker_id") == [worker]
    assert claim(connection, new_id(), [TEMPLATE], 10) == []
