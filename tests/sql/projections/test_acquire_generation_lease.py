"""acquire_generation_lease: one leader at a time, each with an epoch of its own."""

from __future__ import annotations

import pytest

from support.generation_rows import HOST, advance, later, make, row
from support.sql_calls import Connection, Others, call, new_id, wait_until_blocked

ONE, TWO = new_id(), new_id()


def lead(connection: Connection, host: object) -> list[object]:
    return call(connection, "acquire_generation_lease", "money", 1, host, 60.0)


def test_the_first_to_ask_leads_from_the_stored_position(connection: Connection) -> None:
    make(connection)

    assert lead(connection, ONE) == [(1, 0, "serving", 0, False, 0, False)]


def test_nobody_else_leads_while_the_lease_is_held(connection: Connection) -> None:
    make(connection)
    lead(connection, ONE)

    assert lead(connection, TWO) == []


def test_the_leader_keeps_its_epoch_and_renews_its_lease_by_asking(connection: Connection) -> None:
    make(connection)
    epochs = []
    for _ in range(3):
        epochs += [epoch for epoch, *_ in lead(connection, ONE)]  # type: ignore[misc]
        later(connection, 40)

    assert epochs == [1, 1, 1]
    assert lead(connection, TWO) == []


def test_a_lease_that_ran_out_goes_to_the_next_with_a_new_epoch(connection: Connection) -> None:
    make(connection)
    advance(connection, 7)
    later(connection, 61)

    assert lead(connection, TWO) == [(2, 7, "serving", 0, False, 0, False)]


def test_what_is_retired_has_no_leader(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    call(connection, "cancel_rebuilds", "money")

    assert call(connection, "acquire_generation_lease", "money", 2, ONE, 60.0) == []


def test_of_two_that_ask_at_once_one_leads(connection: Connection, others: Others) -> None:
    make(connection)
    with others.begin() as first:
        assert lead(first, ONE)
        second = others.later("acquire_generation_lease", "money", 1, TWO, 60.0)
        wait_until_blocked(connection)

    assert second.result(timeout=30) == []


def test_the_leader_is_told_how_often_an_event_failed_and_that_it_was_resumed(
    connection: Connection,
) -> None:
    make(connection)
    lead(connection, ONE)
    call(connection, "record_failed_event", "money", 1, 1, 7, "broken")

    failures = [lead(connection, ONE)[0]]
    call(connection, "set_projection_paused", "money", False)
    failures += [lead(connection, ONE)[0]]

    assert [row[5] for row in failures] == [1, 0]  # type: ignore[index]


def test_other_code_than_it_was_built_with_is_noted_for_good(connection: Connection) -> None:
    make(connection)
    told = [
        call(connection, "acquire_generation_lease", "money", 1, HOST, 60.0, code)[0][-1]
        for code in (None, "one", "one", None, "two", "one")
    ]

    assert told == [False, False, False, False, True, True]
    assert row(connection, "code", "other_code") == ("one", "two")


@pytest.mark.parametrize("epoch", [10**12, 2**63 - 1, -(2**63)])
def test_from_an_epoch_that_cannot_be_counted_on_from_one_can_lead(
    connection: Connection, epoch: int
) -> None:
    make(connection)
    connection.execute("alter table flowledger.projection drop constraint projection_counts_check")
    connection.execute("update flowledger.projection set epoch = %s, leader = null", (epoch,))

    assert lead(connection, ONE)[0][0] == 1  # type: ignore[index]
