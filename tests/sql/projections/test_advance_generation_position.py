"""advance_generation_position: the position moves by compare-and-swap, or the transaction fails."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from support.generation_rows import lead, make, row
from support.sql_calls import Connection, call


def move(connection: Connection, epoch: int, old: int, new: int) -> None:
    call(connection, "advance_generation_position", "money", 1, epoch, old, new)


def test_the_leader_moves_it_from_where_it_is(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)

    move(connection, epoch, 0, 5)
    move(connection, epoch, 5, 9)

    assert row(connection, "position") == 9


@pytest.mark.parametrize(("late", "old"), [(1, 0), (0, 3)], ids=["epoch", "position"])
def test_who_believes_in_another_epoch_or_position_is_refused(
    connection: Connection, late: int, old: int
) -> None:
    make(connection)
    epoch = lead(connection)

    with pytest.raises(psycopg.DatabaseError) as caught:
        move(connection, epoch - late, old, 5)

    assert caught.value.sqlstate == "FL002"
    assert row(connection, "position") == 0


def test_what_is_retired_does_not_move(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    epochs: list[Any] = [lead(connection), lead(connection, 2)]
    call(connection, "promote_generation", "money", 2, epochs[1])

    with pytest.raises(psycopg.DatabaseError) as caught:
        move(connection, epochs[0], 0, 5)

    assert caught.value.sqlstate == "FL002"


def test_what_failed_has_not_failed_any_more(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)
    call(connection, "record_failed_event", "money", 1, epoch, 5, "broken")

    move(connection, epoch, 0, 5)

    noted = row(connection, "failed_position", "failure", "failed_at", "failures")
    assert noted == (None, None, None, 0)
