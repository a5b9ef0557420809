"""shard_of: the last bits of a task's id, the same in SQL and in Python."""

from __future__ import annotations

from uuid import UUID

import pytest

from flowledger.engine.domain.shard_assignment import shard_of
from support.sql_calls import Connection, call, new_id

EDGES = [UUID(int=n) for n in (0, 1, (1 << 24) - 1, 1 << 24, (1 << 128) - 1)]


@pytest.mark.parametrize("shards", [1, 2, 3, 4, 7, 64, 1024])
def test_sql_and_python_agree(connection: Connection, shards: int) -> None:
    for task in [*EDGES, *(new_id() for _ in range(20))]:
        assert call(connection, "shard_of", task, shards) == [shard_of(task, shards)]


def test_of_one_shard_every_task_is(connection: Connection) -> None:
    assert call(connection, "shard_of", new_id(), 1) == [0]


def test_of_no_shards_none_is(connection: Connection) -> None:
    assert call(connection, "shard_of", new_id(), 0) == [None]
