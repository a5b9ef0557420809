"""renew_shard_leases: the leases of a process that is there, whatever its loops are busy with."""

from __future__ import annotations

from datetime import timedelta

import psycopg

from support.sql_calls import Connection, call, new_id, now, table
from support.unchecked_rows import plant_on

LEADER, OTHER = new_id(), new_id()


def test_the_leases_of_these_shards_are_renewed_where_the_process_leads(
    connection: Connection,
) -> None:
    call(connection, "set_shard_count", 3, [])
    for shard, leader in enumerate((LEADER, OTHER, LEADER)):
        call(connection, "acquire_shard_lease", shard, leader, 1.0, 3)

    call(connection, "renew_shard_leases", LEADER, [0, 1], 60.0)

    later = now(connection) + timedelta(seconds=30)
    renewed = {
        shard
        for shard, until in table(connection, "shard", "shard", "lease_until")
        if until > later
    }
    assert renewed == {0}


def test_a_lease_is_never_shortened(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, LEADER, 60.0)
    before = table(connection, "shard", "lease_until")

    call(connection, "renew_shard_leases", LEADER, [0], 1.0)

    assert table(connection, "shard", "lease_until") == before


def test_it_does_not_wait_for_a_commit_that_is_under_way(
    connection: Connection, database: str
) -> None:
    call(connection, "acquire_shard_lease", 0, LEADER, 1.0)
    with psycopg.connect(database) as committing:
        call(committing, "advance_shard_position", 0, 1, 0, 0, 1.0)
        connection.execute("set lock_timeout = '1 s'")
        before = table(connection, "shard", "lease_until")

        call(connection, "renew_shard_leases", LEADER, [0], 60.0)

        assert table(connection, "shard", "lease_until") == before


def test_a_row_of_no_shard_is_passed_over(connection: Connection) -> None:
    call(connection, "acquire_shard_lease", 0, LEADER, 1.0)
    plant_on(connection, "update flowledger.shard set shards = 0")
    before = table(connection, "shard", "lease_until")

    call(connection, "renew_shard_leases", LEADER, [0], 60.0)

    assert table(connection, "shard", "lease_until") == before
