"""increment_slot_count: count slots as in use, where no more are in use than was decided on."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, Others, call, table, wait_until_blocked

IN_USE = ("limit_key", "in_use")


def test_the_first_slot_of_a_key_makes_its_row(connection: Connection) -> None:
    call(connection, "increment_slot_count", "k", 2, 0)

    assert table(connection, "slot_count", *IN_USE) == [("k", 2)]


@pytest.mark.parametrize(("most", "granted"), [(2, True), (3, True), (None, True), (1, False)])
def test_more_are_taken_where_no_more_were_in_use_than_that(
    connection: Connection, most: int | None, *, granted: bool
) -> None:
    call(connection, "increment_slot_count", "k", 2, 0)

    if granted:
        call(connection, "increment_slot_count", "k", 1, most)
    else:
        with pytest.raises(psycopg.DatabaseError) as caught:
            call(connection, "increment_slot_count", "k", 1, most)
        assert caught.value.sqlstate == "FL006"

    assert table(connection, "slot_count", *IN_USE) == [("k", 2 + granted)]


def test_the_last_slot_is_given_to_one_of_two_shards(
    connection: Connection, others: Others
) -> None:
    with others.begin() as first:
        call(first, "increment_slot_count", "k", 1, 0)
        late = others.later("increment_slot_count", "k", 1, 0)
        wait_until_blocked(connection)

    with pytest.raises(psycopg.DatabaseError) as caught:
        late.result(timeout=30)
    assert caught.value.sqlstate == "FL006"
    assert table(connection, "slot_count", *IN_USE) == [("k", 1)]


def test_as_many_as_can_be_are_counted_on_from_fewer(connection: Connection) -> None:
    connection.execute("insert into flowledger.slot_count values ('k', 1000000000)")

    call(connection, "increment_slot_count", "k", 1, None)

    assert table(connection, "slot_count", *IN_USE) == [("k", 500_000_001)]
