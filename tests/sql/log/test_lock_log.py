"""lock_log: one writer at a time, until its transaction ends."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, Others, Row, append, call, log, new_id, wait_until_blocked


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_lock_is_held_until_the_end_of_the_transaction(
    connection: Connection, others: Others, end: str
) -> None:
    first = others.begin()
    call(first, "lock_log")
    second = others.later("lock_log")
    wait_until_blocked(connection)
    assert not second.done()

    getattr(first, end)()

    assert second.result(timeout=30) == [""]
    first.close()


def test_a_transaction_may_take_it_twice(connection: Connection) -> None:
    with connection.transaction():
        call(connection, "lock_log")
        append(connection, Row(new_id()))

    assert len(log(connection)) == 1


def test_readers_and_analyze_do_not_wait_for_it(connection: Connection, others: Others) -> None:
    with others.begin() as first:
        append(first, Row(new_id()))

        assert log(connection) == []
        connection.execute("analyze flowledger.event")
