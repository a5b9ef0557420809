"""tasks_to_begin_in_turn: of each template the oldest tasks of the keys whose turn is next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flowledger.engine.domain.shard_assignment import shard_of
from support.builders import NOON
from support.sql_calls import Connection, call, new_id, park, rows_of, task_row

ONE, OTHER = sorted(new_id() for _ in range(2))


def waiting(connection: Connection, keys: str, template: UUID = ONE, **changed: Any) -> list[UUID]:
    """A pending task for each letter, each a second younger than the one before."""
    tasks = [new_id() for _ in keys]
    rows = [
        task_row(
            task,
            template,
            **{
                "state": "pending",
                "created_at": NOON + timedelta(seconds=age),
                "fairness_key": key,
                **changed,
            },
        )
        for age, (task, key) in enumerate(zip(tasks, keys, strict=True))
    ]
    call(connection, "upsert_tasks", rows_of(rows))
    return tasks


def found(connection: Connection, limit: int, after: str = "", *shard: int) -> list[Any]:
    mine = shard or (0, 1)
    asked = (limit, [], 60.0, [ONE], [after], *mine)
    return call(connection, "tasks_to_begin_in_turn", *asked)


def keys(connection: Connection, limit: int, after: str = "") -> str:
    return "".join(row[3] for row in found(connection, limit, after))


def test_keys_come_in_a_cycle_from_the_last_one_on(connection: Connection) -> None:
    waiting(connection, "cab")

    assert keys(connection, 10) == "abc"
    assert keys(connection, 10, "a") == "bca"
    assert keys(connection, 10, "bb") == "cab"
    assert keys(connection, 10, "z") == "abc"
    assert keys(connection, 2, "c") == "ab"
    assert keys(connection, 1, "c") == "a"


def test_of_each_key_the_oldest_come_and_of_few_keys_more(connection: Connection) -> None:
    tasks = waiting(connection, "a" * 9 + "b" * 2)

    assert [row[1] for row in found(connection, 6)] == tasks[:4] + tasks[9:]
    assert [row[1] for row in found(connection, 14)] == tasks[:7] + tasks[9:]


def test_it_is_told_since_when_the_oldest_of_the_priority_waits(connection: Connection) -> None:
    waiting(connection, "ab")
    waiting(connection, "a", priority=1)
    waiting(connection, "x", OTHER, created_at=NOON - timedelta(hours=1))

    rows = found(connection, 10)

    hour = NOON - timedelta(hours=1)
    assert [(row[0], *row[2:]) for row in rows] == [
        (ONE, 1, "a", NOON),
        (ONE, 0, "a", NOON),
        (ONE, 0, "b", NOON),
        (OTHER, 0, "x", hour),
    ]


def test_priorities_come_by_their_oldest_task(connection: Connection) -> None:
    waiting(connection, "b", priority=1, created_at=NOON + timedelta(seconds=61))
    waiting(connection, "a")

    assert keys(connection, 10) == "ab"


def test_who_does_not_wait_for_a_turn_is_left_out(connection: Connection) -> None:
    first, parked = waiting(connection, "ab")
    park(connection, parked)
    waiting(connection, "c", paused=True)
    waiting(connection, "d", state="in_progress")
    waiting(connection, "e", fairness_key=None)

    assert [row[1] for row in found(connection, 10)] == [first]
    assert call(connection, "tasks_to_begin_in_turn", 9, [ONE], 60.0, [], [], 0, 1) == []


def test_each_shard_has_its_own(connection: Connection) -> None:
    tasks = waiting(connection, "a" * 6 + "b" * 6)

    for shard in range(3):
        mine = [task for task in tasks if shard_of(task, 3) == shard]
        rows = found(connection, 100, "", shard, 3)
        assert [row[1] for row in rows] == mine
        assert {row[4] for row in rows} == {NOON + timedelta(seconds=tasks.index(mine[0]))}
