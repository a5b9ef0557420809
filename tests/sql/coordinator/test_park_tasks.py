"""park_tasks: which tasks are left alone, by whoever leads at that position."""

from __future__ import annotations

import pytest
from psycopg import errors

from support.sql_calls import Connection, call, new_id, now, table

TASK, OTHER = new_id(), new_id()


def lead(connection: Connection) -> int:
    ((epoch, _, _),) = call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    return epoch


def test_tasks_are_parked_with_their_reasons(connection: Connection) -> None:
    epoch = lead(connection)

    call(connection, "park_tasks", 0, epoch, 0, [TASK, OTHER], ["one", "two"])

    at = now(connection)
    rows = table(connection, "parked_task", "task_id", "reason", "wanted")
    assert sorted(rows) == sorted([(TASK, "one", False), (OTHER, "two", False)])
    ((parked, tried),) = set(table(connection, "parked_task", "parked_at", "tried_at"))
    assert parked == tried <= at


def test_one_that_is_tried_in_vain_is_parked_since_it_was(connection: Connection) -> None:
    epoch = lead(connection)
    call(connection, "park_tasks", 0, epoch, 0, [TASK], ["one"])
    (before,) = table(connection, "parked_task", "parked_at", "tried_at")
    call(connection, "request_parked_retry")
    connection.execute("select flowledger.advance_test_clock('1 hour')")

    call(connection, "park_tasks", 0, epoch, 0, [TASK], ["another"])

    ((reason, wanted, parked, tried),) = table(
        connection, "parked_task", "reason", "wanted", "parked_at", "tried_at"
    )
    assert (reason, wanted, parked) == ("another", False, before[0])
    assert tried > parked


@pytest.mark.parametrize(("epoch", "position"), [(0, 0), (1, 5)])
def test_who_does_not_know_what_is_stored_parks_nothing(
    connection: Connection, epoch: int, position: int
) -> None:
    assert lead(connection) == 1

    with pytest.raises(errors.DatabaseError, match="is not at position") as raised:
        call(connection, "park_tasks", 0, epoch, position, [TASK], ["one"])

    assert raised.value.sqlstate == "FL002"
    assert table(connection, "parked_task") == []
