"""make_shard_leaders_reload: whoever leads begins anew, of one shard or of all."""

from __future__ import annotations

import psycopg
import pytest

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, call, new_id, table
from support.unchecked_rows import plant_on


def lead(connection: Connection, shards: int) -> None:
    call(connection, "set_shard_count", shards, [])
    for shard in range(shards):
        call(connection, "acquire_shard_lease", shard, new_id(), 60.0, shards)


def test_a_leader_of_before_commits_nothing_any_more(connection: Connection) -> None:
    lead(connection, 1)
    (epoch,) = table(connection, "shard", "epoch")

    call(connection, "make_shard_leaders_reload")

    with pytest.raises(psycopg.Error) as refused:
        call(connection, "advance_shard_position", 0, epoch, 0, 1, 60.0)
    assert refused.value.sqlstate == "FL002"
    call(connection, "advance_shard_position", 0, epoch + 1, 0, 1, 60.0)


def test_of_a_task_only_its_own_shard_is_concerned(connection: Connection) -> None:
    lead(connection, 3)
    before = dict(table(connection, "shard", "shard", "epoch"))
    task = new_id()

    call(connection, "make_shard_leaders_reload", task)

    after = dict(table(connection, "shard", "shard", "epoch"))
    moved = {shard for shard, epoch in after.items() if epoch != before[shard]}
    assert moved == {shard_of(task, 3)}


def test_the_last_epoch_is_followed_by_the_first(connection: Connection) -> None:
    connection.execute("update flowledger.shard set epoch = 1000000000000")

    call(connection, "make_shard_leaders_reload")

    assert table(connection, "shard", "epoch") == [1]


def test_rows_of_no_shard_keep_nobody_from_it(connection: Connection) -> None:
    lead(connection, 2)
    plant_on(connection, "insert into flowledger.shard (shard, shards) values (-1, 2), (5, 0)")

    call(connection, "make_shard_leaders_reload")

    assert dict(table(connection, "shard", "shard", "epoch")) == {0: 2, 1: 2, -1: 0, 5: 0}
