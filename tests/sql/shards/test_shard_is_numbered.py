"""shard_is_numbered: a number of one of as many shards as there can be."""

from __future__ import annotations

import pytest

from flowledger.engine.config.sections import MOST_SHARDS
from support.sql_calls import Connection, call


@pytest.mark.parametrize(
    ("shard", "shards", "numbered"),
    [
        (0, 1, True),
        (MOST_SHARDS - 1, MOST_SHARDS, True),
        (0, MOST_SHARDS + 1, False),
        (0, 0, False),
        (-1, 1, False),
        (1, 1, False),
        (0, -1, False),
    ],
)
def test_it_is(connection: Connection, shard: int, shards: int, *, numbered: bool) -> None:
    assert call(connection, "shard_is_numbered", shard, shards) == [numbered]
