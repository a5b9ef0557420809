"""templates_without_worker: open tasks whose steps no live worker claims."""

from __future__ import annotations

from datetime import timedelta

from support.builders import diamond
from support.sql_calls import Connection, call, new_id, now, rows_of, task_row
from support.stored_tasks import register


def test_they_are_those_of_templates_that_no_live_worker_names(connection: Connection) -> None:
    old = register(connection, diamond())
    new = register(connection, diamond().model_copy(update={"version": "2"}))
    rows = [task_row(new_id(), template) for template in (old, old, new)]
    call(connection, "upsert_tasks", rows_of(rows))
    ended = task_row(new_id(), old, state="complete", ended_at=now(connection))
    call(connection, "upsert_tasks", rows_of([ended]))

    both = [("shop", "order", "1", 2), ("shop", "order", "2", 1)]
    assert call(connection, "templates_without_worker") == both
    call(connection, "heartbeat_worker", new_id(), "host", 1, 60.0, [new], 4)
    assert call(connection, "templates_without_worker") == both[:1]
    call(connection, "advance_test_clock", timedelta(hours=1))
    assert call(connection, "templates_without_worker") == both


def test_a_worker_that_does_not_say_may_claim_everything(connection: Connection) -> None:
    old = register(connection, diamond())
    call(connection, "upsert_tasks", rows_of([task_row(new_id(), old)]))

    call(connection, "heartbeat_worker", new_id(), "host", 1, 60.0)

    assert call(connection, "templates_without_worker") == []
