"""circuits: every circuit."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("written", "read"), [(10**9 // 2, 10**9 // 2), (10**9, 10**9 // 2), (-1, 0)]
)
def test_counts_are_read_as_the_nearest_that_can_be_counted_on_from(
    connection: Connection, written: int, read: int
) -> None:
    call(connection, "store_circuits", circuit(0, **OPEN))
    connection.execute("alter table flowledger.circuit drop constraint circuit_counts_check")
    connection.execute(
        "update flowledger.circuit set failures = %(n)s, openings = %(n)s", {"n": written}
    )

    ((found,),) = call(connection, "circuits")

    assert (found["failures"], found["openings"]) == (read, read)
