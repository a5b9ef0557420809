"""load_limit_state: what a coordinator must know of limits when it begins."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.shard_assignment import shard_of
from support.limits import waiting_row
from support.sql_calls import Connection, call, new_id, now, rows_of


def test_an_engine_without_limits_has_nothing(connection: Connection) -> None:
    (found,) = call(connection, "load_limit_state", 0, 1)

    assert found == dict.fromkeys(
        ("in_use", "holders", "expected", "circuits", "paused", "waiters")
    )


def test_holders_and_counts_are_those_of_all_shards(connection: Connection) -> None:
    one, two = new_id(), new_id()
    rows = [{"step_id": one, "keys": ["a", "b"]}, {"step_id": two, "keys": ["a"]}]
    call(connection, "set_slots_of_steps", rows_of(rows), "{}")

    (found,) = call(connection, "load_limit_state", 3, 16)

    assert found["in_use"] == {"a": 2, "b": 1}
    assert {step: sorted(keys) for step, keys in found["holders"].items()} == {
        str(one): ["a", "b"],
        str(two): ["a"],
    }


def test_those_who_wait_are_the_shards_own_by_turn(connection: Connection) -> None:
    tasks = [new_id() for _ in range(20)]
    turns = {task: float(-number) for number, task in enumerate(tasks)}
    call(
        connection,
        "store_waiting_steps",
        rows_of([waiting_row(task, sort_key=sort_key) for task, sort_key in turns.items()]),
    )

    (found,) = call(connection, "load_limit_state", 1, 3)

    mine = [task for task in reversed(tasks) if shard_of(task, 3) == 1]
    assert [row["task_id"] for row in found["waiters"]] == [str(task) for task in mine]


def test_rates_that_hold_nobody_back_are_forgotten(connection: Connection) -> None:
    for key, age in (("old", timedelta(minutes=2)), ("new", timedelta(seconds=30))):
        row = {"limit_key": key, "old": None, "new": now(connection) - age}
        call(connection, "advance_rates", rows_of([row]))

    (found,) = call(connection, "load_limit_state", 0, 1)

    assert list(found["expected"]) == ["new"]
