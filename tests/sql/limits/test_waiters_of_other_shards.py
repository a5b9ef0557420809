"""waiters_of_other_shards: who waits in other shards for a slot, and has waited longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.store.connection.arrays import TextArray
from support.limits import waiting_row
from support.sql_calls import Connection, call, new_id, rows_of

Wait = Callable[..., UUID]


def task_of(shard: int) -> UUID:
    return next(task for task in iter(new_id, None) if shard_of(task, 2) == shard)


@pytest.fixture
def wait(connection: Connection) -> Wait:
    """Has a step of a task of a shard wait."""

    def waits(shard: int, **row: Any) -> UUID:
        task = task_of(shard)
        call(connection, "store_waiting_steps", rows_of([waiting_row(task, **row)]))
        return step_id(task, "a")

    return waits


def older_waiters(connection: Connection, limit: int = 9, **turns: float) -> list[Any]:
    """Those of shard 0 of two."""
    keys, most = TextArray(list(turns)), list(turns.values())
    return call(connection, "waiters_of_other_shards", keys, most, limit, 0, 2)


def test_steps_of_other_shards_with_a_smaller_turn_are_told_in_their_order(
    connection: Connection, wait: Wait
) -> None:
    second, first = wait(1, sort_key=2.0), wait(1, sort_key=1.0)
    wait(1, sort_key=3.0)
    wait(0, sort_key=0.0)

    assert older_waiters(connection, k=3.0) == [("k", first, 1.0), ("k", second, 2.0)]
    assert older_waiters(connection, limit=1, k=3.0) == [("k", first, 1.0)]


def test_each_key_has_a_turn_of_its_own(connection: Connection, wait: Wait) -> None:
    wait(1, sort_key=5.0)
    other = wait(1, sort_key=5.0, limit_key="other")

    assert older_waiters(connection, k=5.0, other=6.0, nobody=9.0) == [("other", other, 5.0)]


def test_who_waits_for_something_else_is_no_elder(connection: Connection, wait: Wait) -> None:
    wait(1, sort_key=1.0, kind="rate")

    assert older_waiters(connection, k=3.0) == []
