"""mend_circuits: circuits say only what their checks allow."""

from __future__ import annotations

from typing import Any

from support.builders import NOON
from support.limits import PROBE
from support.sql_calls import Connection, call, table
from support.unchecked_rows import plant_on

CHECKS = (
    "select conname, pg_get_constraintdef(oid) from pg_constraint"
    " where conrelid = 'flowledger.circuit'::regclass and contype = 'c' and not convalidated"
)
COLUMNS = ("system", "revision", "failures", "openings", "probes", "stream_version")


def store(connection: Connection, *rows: tuple[Any, ...]) -> None:
    """Circuits that are there from before the checks."""
    checks = connection.execute(CHECKS).fetchall()
    for name, _ in checks:
        connection.execute(f"alter table flowledger.circuit drop constraint {name}".encode())
    for row in rows:
        connection.execute(
            "insert into flowledger.circuit (system, revision, failures, openings, probes,"
            " stream_version, state) values (%s, %s, %s, %s, %s::uuid[], %s, 'open')",
            row,
        )
    for name, definition in checks:
        added = f"alter table flowledger.circuit add constraint {name} {definition}"
        connection.execute(added.encode())


def test_probes_are_a_list_and_counts_can_be_counted_on_from(connection: Connection) -> None:
    most, whole = 2**63 - 1, 2**31 - 1
    well = ("well", 3, 1, 2, [PROBE], 4)
    store(
        connection,
        ("counts", most, whole, -1, [], most),
        ("ends", 10**12, 10**9, 10**9, [], 10**12),
        ("nested", 1, 0, 0, f"{{{{{PROBE}}},{{NULL}}}}", 1),
        ("of nobody", 1, 0, 0, f"{{{PROBE},NULL}}", 1),
        well,
    )

    assert call(connection, "mend_circuits") == [4]

    assert sorted(table(connection, "circuit", *COLUMNS)) == [
        ("counts", 0, 500_000_000, 0, [], 0),
        ("ends", 0, 500_000_000, 500_000_000, [], 0),
        ("nested", 1, 0, 0, [], 1),
        ("of nobody", 1, 0, 0, [PROBE], 1),
        well,
    ]
    assert call(connection, "rows_against_checks", ["circuit"]) == []


def test_times_beyond_all_calendars_are_forgotten(connection: Connection) -> None:
    store(connection, ("well", 1, 0, 0, [], 1), ("far", 1, 0, 0, [], 1))
    plant_on(
        connection,
        f"update flowledger.circuit set open_until = '{NOON}', changed_at = '{NOON}'",  # noqa: S608
        "update flowledger.circuit set open_until = 'infinity', changed_at = '250000-01-01'"
        " where system = 'far'",
    )

    assert call(connection, "mend_circuits") == [1]

    assert sorted(table(connection, "circuit", "system", "open_until", "changed_at")) == [
        ("far", None, None),
        ("well", NOON, NOON),
    ]
