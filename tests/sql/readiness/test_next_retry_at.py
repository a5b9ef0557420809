"""next_retry_at: when a step is tried again."""

from __future__ import annotations

import pytest

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, rows_of, step_row


def test_a_step_that_waits_for_a_retry_has_its_time(connection: Connection) -> None:
    task = new_id()
    states = {"a": "waiting_for_retry", "b": "enqueued"}
    rows = [step_row(task, name, state=state, due_at=NOON) for name, state in states.items()]
    call(connection, "upsert_steps", rows_of(rows))

    assert call(connection, "next_retry_at", task, "a") == [NOON]
    assert call(connection, "next_retry_at", task, "b") == [None]


@pytest.mark.parametrize("name", ["a", "?"])
def test_what_is_not_known_has_none(connection: Connection, name: str) -> None:
    assert call(connection, "next_retry_at", new_id(), name) == [None]
