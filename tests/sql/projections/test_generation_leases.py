"""generation_leases: who leads what, and for how long."""

from __future__ import annotations

from typing import Any

from support.generation_rows import HOST, later, lead, make
from support.sql_calls import Connection, call


def leases(connection: Connection) -> list[Any]:
    """Those of the projection at hand; others came with the engine."""
    return [row for row in call(connection, "generation_leases") if row[0] == "money"]


def test_a_generation_without_a_leader_is_long_free(connection: Connection) -> None:
    make(connection)

    ((*place, seconds, _),) = leases(connection)

    assert place == ["money", 1, 1, "serving", None]
    assert seconds < -1e6


def test_a_lease_has_its_seconds_left_and_then_is_over_since(connection: Connection) -> None:
    make(connection)
    lead(connection)

    ((*_, leader, left, _),) = leases(connection)
    later(connection, 90)
    ((*_, over, _),) = leases(connection)

    assert leader == HOST
    assert 30 < left <= 60
    assert -60 < over <= -30


def test_what_is_retired_is_nobodys(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)
    call(connection, "cancel_rebuilds", "money")

    assert [generation for _, generation, *_ in leases(connection)] == [1]
