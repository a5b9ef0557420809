"""store_limit_state: all that a transaction changes of limits, and who must hear of it."""

from __future__ import annotations

from typing import Any

import orjson
import psycopg
import pytest

from support.builders import NOON
from support.limits import OPEN, waiting_row
from support.sql_calls import Connection, call, heard, new_id, table

STEP, TASK = new_id(), new_id()


def text(**parts: Any) -> str:
    return orjson.dumps({"most": {}, **parts}).decode()


def test_each_part_is_stored(connection: Connection) -> None:
    call(connection, "store_limit_state", text(waiters=[waiting_row(TASK, "gone")]))
    call(
        connection,
        "store_limit_state",
        text(
            gone=[waiting_row(TASK, "gone")["step_id"]],
            waiters=[waiting_row(TASK, "a")],
            holders=[{"step_id": STEP, "keys": ["k"]}],
            most={"k": 0},
            rates=[{"limit_key": "k", "old": None, "new": NOON}],
            circuits=[{"system": "bank", "revision": 0, **OPEN}],
        ),
    )

    assert table(connection, "waiting_step", "step") == ["a"]
    assert table(connection, "slot", "step_id") == [STEP]
    assert table(connection, "rate", "limit_key") == ["k"]
    assert table(connection, "circuit", "system") == ["bank"]


def test_what_another_shard_took_first_refuses_all_of_it(connection: Connection) -> None:
    call(connection, "increment_slot_count", "k", 1, 0)

    with pytest.raises(psycopg.DatabaseError) as caught:
        call(
            connection,
            "store_limit_state",
            text(
                waiters=[waiting_row(TASK)],
                holders=[{"step_id": STEP, "keys": ["k"]}],
                most={"k": 0},
            ),
        )

    assert caught.value.sqlstate == "FL006"
    assert table(connection, "waiting_step", "step") == []


def test_coordinators_hear_of_room_that_somebody_waits_for(
    connection: Connection, other: Connection
) -> None:
    holder = {"step_id": STEP, "keys": ["k"]}
    call(connection, "store_limit_state", text(holders=[holder], waiters=[waiting_row(TASK)]))

    freed = text(holders=[{**holder, "keys": []}])
    assert heard(other, "room", connection, "store_limit_state", freed) == [""]
