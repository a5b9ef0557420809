"""task_exists: submitted, be it seen by the coordinator or not."""

from __future__ import annotations

import pytest

from flowledger.engine.store.connection.arrays import BigintArray, ByteaArray, TextArray, UuidArray
from support.sql_calls import Connection, call, new_id


@pytest.mark.parametrize("function", ["submit_tasks", "submit_in_callers_transaction"])
def test_a_submitted_task_is_known_and_another_is_not(
    connection: Connection, function: str
) -> None:
    task = new_id()
    call(
        connection,
        function,
        *(TextArray([None]), UuidArray([task]), TextArray(["task.created"])),
        *(ByteaArray([b"x"]), BigintArray([0])),
    )

    assert call(connection, "task_exists", task) == [True]
    assert call(connection, "task_exists", new_id()) == [False]
