"""circuits: every circuit."""

from __future__ import annotations

from support.limits import OPEN, circuit
from support.sql_calls import Connection, call


def test_there_may_be_none(connection: Connection) -> None:
    assert call(connection, "circuits") == [None]


def test_they_come_by_name(connection: Connection) -> None:
    for system in ("mail", "bank"):
        call(connection, "store_circuits", circuit(0, system, **OPEN))

    (found,) = call(connection, "circuits")

    assert [row["system"] for row in found] == ["bank", "mail"]
