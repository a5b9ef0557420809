"""enqueue_steps: one row a step, claimable, and workers that know of it."""

from __future__ import annotations

from board import Connection, call, heard, new_id, queue, queue_row, rows_of, table

TEMPLATE = new_id()


def test_rows_are_stored_as_given(connection: Connection) -> None:
    row = queue_row(
        new_id(), TEMPLATE, "pack it", version=3, priority=-2, attempt=4, correlation="c"
    )

    queue(connection, row)

    fields = ("step_id", "task_id", "template_id", "stream_version", "priority", "attempt")
    assert table(connection, "queue", *fields, "step", "correlation_id", "worker_id") == [
        (row["step_id"], row["task_id"], TEMPLATE, 3, -2, 4, "pack it", "c", None)
    ]


def test_a_step_that_is_queued_already_is_queued_anew(connection: Connection) -> None:
    again, behind = queue_row(new_id(), TEMPLATE), queue_row(new_id(), TEMPLATE)
    queue(connection, again, behind)
    call(connection, "claim_steps", new_id(), [TEMPLATE], 10)

    queue(connection, {**again, "version": 9, "attempt": 2})

    (found,) = call(connection, "claim_steps", new_id(), [TEMPLATE], 10)
    assert (found[0], found[3], found[4]) == (again["step_id"], 9, 2)
    assert len(table(connection, "queue", "step_id")) == 2


def test_a_step_queued_anew_goes_behind_the_others(connection: Connection) -> None:
    again, behind = queue_row(new_id(), TEMPLATE), queue_row(new_id(), TEMPLATE)
    queue(connection, again, behind)

    queue(connection, again)

    assert call(connection, "claim_steps", new_id(), [TEMPLATE], 1)[0][0] == behind["step_id"]


def test_workers_are_woken(connection: Connection, other: Connection) -> None:
    rows = rows_of([queue_row(new_id(), TEMPLATE)])

    assert heard(other, "queue", connection, "enqueue_steps", rows) == [""]
