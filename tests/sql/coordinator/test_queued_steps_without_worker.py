"""queued_steps_without_worker: what is queued and no live worker claims, by template."""

from __future__ import annotations

from datetime import timedelta

from support.builders import diamond
from support.sql_calls import Connection, call, new_id, queue, queue_row
from support.stored_tasks import register


def test_steps_are_counted_by_the_version_that_nobody_claims(connection: Connection) -> None:
    old = register(connection, diamond())
    new = register(connection, diamond().model_copy(update={"version": "2"}))
    rows = [queue_row(new_id(), template) for template in (old, old, new)]
    queue(connection, *rows)

    both = [(old, "shop", "order", "1", 2), (new, "shop", "order", "2", 1)]
    assert [row[:5] for row in call(connection, "queued_steps_without_worker")] == both
    call(connection, "heartbeat_worker", new_id(), "host", 1, 60.0, [new], 4)
    assert [row[:5] for row in call(connection, "queued_steps_without_worker")] == both[:1]
    call(connection, "advance_test_clock", timedelta(hours=1))
    assert [row[:5] for row in call(connection, "queued_steps_without_worker")] == both


def test_what_a_worker_has_claimed_is_not_waiting(connection: Connection) -> None:
    old = register(connection, diamond())
    queue(connection, queue_row(new_id(), old))
    connection.execute("update flowledger.queue set worker_id = %s", (new_id(),))

    assert call(connection, "queued_steps_without_worker") == []


def test_a_worker_that_does_not_say_may_claim_everything(connection: Connection) -> None:
    queue(connection, queue_row(new_id(), register(connection, diamond())))

    call(connection, "heartbeat_worker", new_id(), "host", 1, 60.0)

    assert call(connection, "queued_steps_without_worker") == []


def test_steps_of_a_template_that_is_gone_are_told_by_its_id(connection: Connection) -> None:
    gone = new_id()
    queue(connection, queue_row(new_id(), gone))

    ((template, namespace, *_),) = call(connection, "queued_steps_without_worker")

    assert (template, namespace) == (gone, None)
