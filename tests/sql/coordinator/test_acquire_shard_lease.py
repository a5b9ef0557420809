"""acquire_shard_lease: one leader at a time, each with an epoch of its own."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, Others, call, new_id, now, wait_until_blocked
from support.unchecked_rows import plant_on

ONE, TWO = new_id(), new_id()


def test_the_first_to_ask_leads_from_the_stored_position(connection: Connection) -> None:
    ((epoch, position, told),) = call(connection, "acquire_shard_lease", 0, ONE, 60.0)

    assert (epoch, position) == (1, 0)
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_nobody_else_leads_while_the_lease_is_held(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)

    assert call(connection, "acquire_shard_lease", 0, TWO, 60.0) == []


def test_the_leader_keeps_its_epoch(connection: Connection) -> None:
    epochs = [call(connection, "acquire_shard_lease", 0, ONE, 60.0)[0][0] for _ in range(3)]

    assert epochs == [1, 1, 1]


def test_the_leader_renews_its_lease_by_asking(connection: Connection) -> None:
    for _ in range(3):
        call(connection, "acquire_shard_lease", 0, ONE, 60.0)
        call(connection, "advance_test_clock", timedelta(seconds=40))

    assert call(connection, "acquire_shard_lease", 0, TWO, 60.0) == []


def test_a_lease_that_ran_out_goes_to_the_next_with_a_new_epoch(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, ONE, 60.0)
    call(connection, "advance_shard_position", 0, 1, 0, 7, 60.0)
    call(connection, "advance_test_clock", timedelta(seconds=61))

    assert call(connection, "acquire_shard_lease", 0, TWO, 60.0)[0][:2] == (2, 7)
    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0) == []


def test_a_leader_that_comes_back_after_another_gets_a_new_epoch(connection: Connection) -> None:
    for leader in (ONE, TWO):
        call(connection, "acquire_shard_lease", 0, leader, 60.0)
        call(connection, "advance_test_clock", timedelta(seconds=61))

    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0)[0][0] == 3


def test_of_two_that_ask_at_once_one_leads(connection: Connection, others: Others) -> None:
    with others.begin() as first:
        assert call(first, "acquire_shard_lease", 0, ONE, 60.0)
        second = others.later("acquire_shard_lease", 0, TWO, 60.0)
        wait_until_blocked(connection)

    assert second.result(timeout=30) == []


def test_a_shard_that_does_not_exist_has_no_leader(connection: Connection) -> None:
    assert call(connection, "acquire_shard_lease", 7, ONE, 60.0) == []


def test_who_believes_in_another_number_of_shards_does_not_lead(connection: Connection) -> None:
    call(connection, "set_shard_count", 2, [])

    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0) == []
    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0, 3) == []
    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0, 2)[0][:2] == (1, 0)
    call(connection, "set_shard_count", 1, [])
    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0, 2) == []


def test_the_last_epoch_is_followed_by_the_first(connection: Connection) -> None:
    connection.execute("update flowledger.shard set epoch = 1000000000000")

    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0)[0][0] == 1


def test_a_row_of_no_shard_has_no_leader(connection: Connection) -> None:
    written = "insert into flowledger.shard (shard, shards) values (-1, 1), (5, 0), (7, 1)"
    plant_on(connection, written)

    for shard, shards in ((-1, 1), (5, 0), (7, 1)):
        assert call(connection, "acquire_shard_lease", shard, ONE, 60.0, shards) == []


def test_a_lease_without_an_end_that_is_known_has_ended(connection: Connection) -> None:
    connection.execute("update flowledger.shard set leader = gen_random_uuid()")

    assert call(connection, "acquire_shard_lease", 0, ONE, 60.0)
