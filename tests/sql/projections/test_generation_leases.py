"""generation_leases: who leads what, and for how long."""

from __future__ import annotations

from typing import Any

from support.generation_rows import HOST, happen, later, lead, make
from support.sql_calls import Connection, call, new_id


def leases(connection: Connection) -> list[Any]:
    """Those of the projection at hand; others came with the engine."""
    return [row for row in call(connection, "generation_leases") if row[0] == "money"]


def test_a_generation_without_a_leader_is_long_free(connection: Connection) -> None:
    make(connection)

    ((*place, seconds, _, _),) = leases(connection)

    assert place == ["money", 1, 1, "serving", None]
    assert seconds < -1e6


def test_a_lease_has_its_seconds_left_and_then_is_over_since(connection: Connection) -> None:
    make(connection)
    lead(connection)

    ((*_, leader, left, _, _),) = leases(connection)
    later(connection, 90)
    ((*_, over, _, _),) = leases(connection)

    assert leader == HOST
    assert 30 < left <= 60
    assert -60 < over <= -30


def test_what_is_retired_is_nobodys(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)
    call(connection, "cancel_rebuilds", "money")

    assert [generation for _, generation, *_ in leases(connection)] == [1]


def test_it_says_whether_somebody_asked_for_something(connection: Connection) -> None:
    make(connection)
    assert asked(connection) == [False]

    task = new_id()
    template = None
    call(connection, "request_tasks_rebuild", "money", task, template)
    assert asked(connection) == [True]

    connection.execute("update flowledger.projection_rebuild set state = 'done'")
    position = happen(connection, 1)
    lead(connection)
    connection.execute(
        "insert into flowledger.parked_event (name, generation, position, error, parked_at,"
        " requested_action) values ('money', 1, %s, 'odd', now(), 'retry')",
        (position,),
    )
    assert asked(connection) == [True]
    connection.execute("update flowledger.parked_event set requested_action = 'dropped'")
    assert asked(connection) == [False]

    make(connection, version=2)
    call(connection, "cancel_rebuilds", "money")
    assert asked(connection) == [True]
    call(connection, "drop_retired_generations", "money")
    assert asked(connection) == [False]


def asked(connection: Connection) -> list[bool]:
    return [row[-1] for row in leases(connection)]
