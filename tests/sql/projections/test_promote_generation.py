"""promote_generation: what was built serves, in one transaction."""

from __future__ import annotations

import psycopg
import pytest

from support.generation_rows import SPEND, advance, lead, make, row
from support.sql_calls import Connection, Others, call, heard, wait_until_blocked

TOLD = "insert into {schema}.spend values ('ann', 5)"


@pytest.fixture(autouse=True)
def _built(connection: Connection) -> None:
    """One generation serves, at position 7, and the next is built."""
    make(connection)
    advance(connection, 7)
    make(connection, version=2, tables=f"{SPEND}; {TOLD}")


def swap(connection: Connection) -> bool:
    (swapped,) = call(connection, "promote_generation", "money", 2, lead(connection, 2))
    return bool(swapped)


def test_what_has_not_come_as_far_does_not_serve(connection: Connection) -> None:
    advance(connection, 6, 2)

    assert not swap(connection)
    assert row(connection, "state") == "serving"
    assert row(connection, "state", generation=2) == "building"


def test_what_has_come_as_far_serves_and_the_other_is_retired(connection: Connection) -> None:
    advance(connection, 7, 2)

    assert swap(connection)
    assert row(connection, "state", "leader") == ("retired", None)
    assert row(connection, "state", generation=2) == "serving"
    assert connection.execute("select * from money.spend").fetchall() == [("ann", 5)]


def test_effects_are_silent_up_to_where_the_other_was(connection: Connection) -> None:
    advance(connection, 7, 2)

    swap(connection)

    assert row(connection, "no_effects_until", generation=2) == 7


def test_one_that_is_paused_stays_paused(connection: Connection) -> None:
    advance(connection, 7, 2)
    call(connection, "set_projection_paused", "money", True)

    swap(connection)

    assert row(connection, "paused", generation=2) is True


def test_who_does_not_lead_what_is_built_is_refused(connection: Connection) -> None:
    epoch = lead(connection, 2)

    with pytest.raises(psycopg.DatabaseError) as caught:
        call(connection, "promote_generation", "money", 2, epoch - 1)

    assert caught.value.sqlstate == "FL002"


def test_what_was_given_up_does_not_serve(connection: Connection) -> None:
    advance(connection, 7, 2)
    epoch = lead(connection, 2)
    call(connection, "cancel_rebuilds", "money")

    with pytest.raises(psycopg.DatabaseError) as caught:
        call(connection, "promote_generation", "money", 2, epoch)

    assert caught.value.sqlstate == "FL002"


def test_a_view_that_cannot_change_leaves_everything_as_it_was(connection: Connection) -> None:
    make(connection, version=3, tables="")
    advance(connection, 7, 3)
    connection.execute("create view poor as select * from money.spend")

    with pytest.raises(psycopg.DatabaseError, match="depends"):
        call(connection, "promote_generation", "money", 3, lead(connection, 3))

    assert row(connection, "state") == "serving"
    assert row(connection, "state", generation=3) == "building"


def test_who_reads_for_long_is_not_waited_for(connection: Connection, others: Others) -> None:
    """New readers would have to wait behind the swap, which waits for the old ones."""
    advance(connection, 7, 2)
    epoch = lead(connection, 2)
    with others.begin() as reader:
        before = reader.execute("select * from money.spend").fetchall()
        swapped = others.later("promote_generation", "money", 2, epoch)
        assert swapped.result(timeout=30) == [False]
        again = reader.execute("select * from money.spend").fetchall()

    assert before == again == []
    assert row(connection, "state") == "serving"
    assert swap(connection)


def test_a_batch_of_the_other_that_is_under_way_is_waited_for(
    connection: Connection, others: Others
) -> None:
    epoch, built = lead(connection), lead(connection, 2)
    advance(connection, 7, 2)
    with others.begin() as leader:
        call(leader, "advance_generation_position", "money", 1, epoch, 7, 9)
        swapped = others.later("promote_generation", "money", 2, built)
        wait_until_blocked(connection)

    assert swapped.result(timeout=30) == [False]


def test_the_hosts_are_told(connection: Connection, other: Connection) -> None:
    advance(connection, 7, 2)
    epoch = lead(connection, 2)

    assert heard(connection, "projection", other, "promote_generation", "money", 2, epoch) == [
        "money"
    ]


def test_while_somebody_reads_the_view_it_is_not_swapped(
    connection: Connection, others: Others
) -> None:
    advance(connection, 7, 2)
    with others.begin() as reader:
        reader.execute("select * from money.spend")
        assert not swap(connection)
        assert row(connection, "state") == "serving"

    assert swap(connection)


def test_what_failed_before_the_swap_has_not_failed_any_more(connection: Connection) -> None:
    advance(connection, 7, 2)
    call(
        connection,
        "record_failed_event",
        "money",
        2,
        lead(connection, 2),
        7,
        "a view depends",
    )

    swap(connection)

    assert row(connection, "failed_position", "failures", generation=2) == (None, 0)
