"""delete_dead_workers: silent ones without steps."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, renew, table

TEMPLATE = new_id()


def test_only_who_is_silent_and_holds_nothing_is_forgotten(connection: Connection) -> None:
    lively, silent, holding = new_id(), new_id(), new_id()
    renew(connection, lively, 90.0)
    renew(connection, silent, 30.0)
    renew(connection, holding, 30.0)
    queue(connection, queue_row(new_id(), TEMPLATE))
    claim(connection, holding, [TEMPLATE], 1)
    call(connection, "delete_dead_workers")
    assert len(table(connection, "worker", "worker_id")) == 3

    call(connection, "advance_test_clock", timedelta(seconds=31))
    call(connection, "delete_dead_workers")

    assert set(table(connection, "worker", "worker_id")) == {lively, holding}
