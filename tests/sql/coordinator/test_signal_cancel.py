"""signal_cancel: whoever runs a step is told to stop it."""

from __future__ import annotations

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.store.connection.arrays import UuidArray
from support.sql_calls import Connection, call, claim, heard, new_id, queue, queue_row, table

TEMPLATE = new_id()


def test_a_running_step_is_marked_and_its_stream_has_moved_on(connection: Connection) -> None:
    task, worker = new_id(), new_id()
    queue(connection, *(queue_row(task, TEMPLATE, name, version=3) for name in "ab"))
    claim(connection, worker, [TEMPLATE], 2)

    call(connection, "signal_cancel", UuidArray([step_id(task, "a")]))

    rows = table(connection, "queue", "step", "cancelling", "stream_version", "worker_id")
    assert rows == [("a", True, 4, worker), ("b", False, 3, worker)]


def test_a_step_that_has_no_row_any_more_is_passed_over(connection: Connection) -> None:
    call(connection, "signal_cancel", UuidArray([new_id()]))

    assert table(connection, "queue", "step_id") == []


def test_workers_hear_of_it(connection: Connection, other: Connection) -> None:
    assert heard(other, "cancel", connection, "signal_cancel", UuidArray([new_id()])) == [""]


def test_a_version_that_is_as_high_as_can_be_is_counted_on_by_nobody(
    connection: Connection,
) -> None:
    task = new_id()
    queue(connection, queue_row(task, TEMPLATE, version=10**12))

    call(connection, "signal_cancel", UuidArray([step_id(task, "a")]))

    assert table(connection, "queue", "cancelling", "stream_version") == [(False, 10**12)]
