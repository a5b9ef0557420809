"""store_circuits: circuits change by compare-and-swap; some are only compared."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from support.builders import NOON
from support.limits import OPEN, PROBE, circuit
from support.sql_calls import Connection, call, heard, table


def test_a_circuit_is_stored_whole(connection: Connection) -> None:
    call(connection, "store_circuits", circuit(0, **OPEN))

    fields = ("system", "revision", "state", "openings", "open_until", "probes")
    assert table(connection, "circuit", *fields) == [("bank", 1, "open", 1, NOON, [PROBE])]


def test_a_change_counts_one_revision(connection: Connection) -> None:
    call(connection, "store_circuits", circuit(0, **OPEN))
    call(connection, "store_circuits", circuit(1, **{**OPEN, "state": "half_open"}))

    assert table(connection, "circuit", "revision", "state") == [(2, "half_open")]


@pytest.mark.parametrize(
    ("revision", "changed"),
    [
        pytest.param(0, OPEN, id="changed, and thought to be new"),
        pytest.param(2, OPEN, id="changed from another revision"),
        pytest.param(0, {}, id="relied on, and thought to be closed"),
    ],
)
def test_one_that_another_changed_is_refused(
    connection: Connection, revision: int, changed: dict[str, Any]
) -> None:
    call(connection, "store_circuits", circuit(0, **OPEN))

    with pytest.raises(psycopg.DatabaseError) as caught:
        call(connection, "store_circuits", circuit(revision, **changed))

    assert caught.value.sqlstate == "FL006"
    assert table(connection, "circuit", "revision") == [1]


def test_one_that_is_only_relied_on_stays_as_it_is(connection: Connection) -> None:
    call(connection, "store_circuits", circuit(0, **OPEN))

    call(connection, "store_circuits", circuit(1))
    call(connection, "store_circuits", circuit(0, "unheard of"))

    assert table(connection, "circuit", "system", "revision") == [("bank", 1)]


def test_coordinators_hear_of_a_change(connection: Connection, other: Connection) -> None:
    rows = circuit(0, **OPEN)

    assert heard(other, "room", connection, "store_circuits", rows) == [""]


def test_a_revision_that_is_as_high_as_can_be_is_counted_from_none(connection: Connection) -> None:
    call(connection, "store_circuits", circuit(0, **OPEN))
    connection.execute("update flowledger.circuit set revision = 1000000000000")

    call(connection, "store_circuits", circuit(0))
    call(connection, "store_circuits", circuit(0, **OPEN))

    assert table(connection, "circuit", "revision") == [1]
