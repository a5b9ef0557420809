"""set_worker_stuck: a worker says that it claims nothing any more, or again."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id, renew, table


def test_the_condition_of_one_worker_is_noted(connection: Connection) -> None:
    worn, other = new_id(), new_id()
    renew(connection, worn, 60)
    renew(connection, other, 60)

    call(connection, "set_worker_stuck", worn, True)
    conditions = dict(table(connection, "worker", "worker_id", "condition"))
    assert conditions == {worn: "stuck", other: "ready"}

    call(connection, "set_worker_stuck", worn, False)
    assert set(table(connection, "worker", "condition")) == {"ready"}


def test_renewing_the_lease_keeps_the_condition(connection: Connection) -> None:
    worn = new_id()
    renew(connection, worn, 60)
    call(connection, "set_worker_stuck", worn, True)

    renew(connection, worn, 60)

    assert table(connection, "worker", "condition") == ["stuck"]
