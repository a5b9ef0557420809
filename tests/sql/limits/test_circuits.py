"""circuits: every circuit."""

from __future__ import annotations

from support.limits import OPEN, PROBE, circuit
from support.sql_calls import Connection, call


def test_there_may_be_none(connection: Connection) -> None:
    assert call(connection, "circuits") == [None]


def test_they_come_by_name(connection: Connection) -> None:
    for system in ("mail", "bank"):
        call(connection, "store_circuits", circuit(0, system, **OPEN))

    (found,) = call(connection, "circuits")

    assert [row["system"] for row in found] == ["bank", "mail"]


def test_probes_that_are_no_list_are_none(connection: Connection) -> None:
    call(connection, "store_circuits", circuit(0, **OPEN))
    connection.execute("alter table flowledger.circuit drop constraint circuit_probes_check")
    for probes, left in (
        (f"{{{{{PROBE}}},{{{PROBE}}}}}", []),
        (f"{{NULL,{PROBE}}}", [str(PROBE)]),
        (f"{{{PROBE}}}", [str(PROBE)]),
        ("{}", []),
    ):
        connection.execute("update flowledger.circuit set probes = %s::uuid[]", (probes,))

        assert [row["probes"] for (row,) in call(connection, "circuits")] == [left]
