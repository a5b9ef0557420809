"""circuits_now: every circuit."""

from __future__ import annotations

from board import Connection, call
from limit_rows import OPEN, circuit


def test_there_may_be_none(connection: Connection) -> None:
    assert call(connection, "circuits_now") == [None]


def test_they_come_by_name(connection: Connection) -> None:
    for system in ("mail", "bank"):
        call(connection, "store_circuits", circuit(0, system, **OPEN))

    (found,) = call(connection, "circuits_now")

    assert [row["system"] for row in found] == ["bank", "mail"]
