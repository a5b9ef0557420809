"""recount_slots: slots in use by limit, from the slots alone."""

from __future__ import annotations

from support.sql_calls import Connection, Others, call, new_id, table, wait_until_blocked


def counts(connection: Connection) -> list[tuple[str, int]]:
    return table(connection, "slot_count", "limit_key", "in_use")


def test_wrong_missing_and_needless_counts_are_put_right(connection: Connection) -> None:
    for key in ("wrong", "wrong", "missing", "other"):
        connection.execute("insert into flowledger.slot values (%s, %s)", (new_id(), key))
    connection.execute("insert into flowledger.slot_count values ('wrong', 7), ('needless', 1)")

    call(connection, "recount_slots", ["wrong", "missing", "needless", "nobody's"])

    assert counts(connection) == [("missing", 1), ("wrong", 2)]


def test_who_takes_one_meanwhile_counts_after_it(connection: Connection, others: Others) -> None:
    connection.execute("insert into flowledger.slot values (%s, 'k')", (new_id(),))
    connection.execute("insert into flowledger.slot_count values ('k', 9)")
    with others.begin() as counting:
        call(counting, "recount_slots", ["k"])
        taking = others.later("increment_slot_count", "k", 1, None)
        wait_until_blocked(connection)

    taking.result(timeout=30)
    assert counts(connection) == [("k", 2)]
