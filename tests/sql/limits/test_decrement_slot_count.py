"""decrement_slot_count: count slots as in use no more."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, Others, call, table, wait_until_blocked


@pytest.mark.parametrize(("less", "left"), [(1, [("k", 2)]), (3, [])])
def test_a_key_of_which_none_is_in_use_has_no_row(
    connection: Connection, less: int, left: list[tuple[str, int]]
) -> None:
    call(connection, "increment_slot_count", "k", 3, 0)

    call(connection, "decrement_slot_count", "k", less)

    assert table(connection, "slot_count", "limit_key", "in_use") == left


def test_where_fewer_were_counted_than_are_freed_none_is_left(connection: Connection) -> None:
    call(connection, "increment_slot_count", "k", 1, 0)

    call(connection, "decrement_slot_count", "k", 2)

    assert table(connection, "slot_count", "limit_key") == []


def test_what_another_took_meanwhile_is_not_freed_with_it(
    connection: Connection, others: Others
) -> None:
    call(connection, "increment_slot_count", "k", 1, 0)
    with others.begin() as first:
        call(first, "increment_slot_count", "k", 1, 1)
        late = others.later("decrement_slot_count", "k", 1)
        wait_until_blocked(connection)

    late.result(timeout=30)
    assert table(connection, "slot_count", "limit_key", "in_use") == [("k", 1)]
