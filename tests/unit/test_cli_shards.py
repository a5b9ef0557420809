"""`flowledger db shards` in words and as JSON."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from flowledger.engine.cli.commands.db import fields, sentence
from flowledger.engine.store.shard_membership_store import ShardRow

LED = ShardRow(2, UUID(int=1), "here", 71, 5, 900, 0, 2.04)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param(
            LED,
            "process 71 on here leads it in epoch 5, for 2.0 s more, at position 900,"
            " nothing behind",
            id="led",
        ),
        pytest.param(
            replace(LED, lease_left=-3.5, behind=1),
            "process 71 on here led it, and its lease ran out 3.5 s ago, at position 900,"
            " 1 fact behind",
            id="silent",
        ),
        pytest.param(
            replace(LED, host=None, pid=None, behind=12),
            f"{UUID(int=1)} leads it in epoch 5, for 2.0 s more, at position 900, 12 facts behind",
            id="not registered",
        ),
        pytest.param(
            replace(LED, leader=None),
            "nobody leads it, at position 900, nothing behind",
            id="resigned",
        ),
    ],
)
def test_a_shard_is_told_in_words(row: ShardRow, said: str) -> None:
    assert sentence(row) == f"shard 2: {said}"


def test_a_shard_as_json_has_the_words_of_the_columns() -> None:
    assert fields(LED, 4) == {
        "shard": 2, "shards": 4, "leader": str(UUID(int=1)), "host": "here", "pid": 71,
        "epoch": 5, "position": 900, "behind": 0, "lease_left_seconds": 2.0,
    }  # fmt: skip
