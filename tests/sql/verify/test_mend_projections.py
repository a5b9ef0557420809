"""mend_projections: projections and their rebuilds say only what can be counted on from."""

from __future__ import annotations

from support.generation_rows import lead, make, row
from support.sql_calls import Connection, call, new_id, table
from support.unchecked_rows import plant_on

COUNTS = ("name", "epoch", "failures", "position", "started_from")


def test_what_no_check_lets_in_is_mended_and_nothing_else(connection: Connection) -> None:
    for name in ("ends", "odd", "well"):
        make(connection, name)
    rebuilds = [call(connection, "request_tasks_rebuild", "odd", new_id(), None)[0] for _ in "abc"]
    counted = [
        f"update flowledger.projection_rebuild set tasks = {tasks} where rebuild = {rebuild}"  # noqa: S608
        for rebuild, tasks in zip(rebuilds, (2**63 - 1, 10**12, 4), strict=True)
    ]
    plant_on(
        connection,
        "update flowledger.projection set epoch = 1000000000000, failures = 1000000000"
        " where name = 'ends'",
        "update flowledger.projection set epoch = -1, failures = -1, position = -7,"
        " started_from = -9 where name = 'odd'",
        "update flowledger.projection set epoch = 3, position = 5 where name = 'well'",
        *counted,
    )

    assert call(connection, "mend_projections") == [4]

    rows = table(connection, "projection", *COUNTS)
    assert sorted(row for row in rows if not row[0].startswith("flowledger_")) == [
        ("ends", 0, 500_000_000, 0, 0),
        ("odd", 0, 0, 0, 0),
        ("well", 3, 0, 5, 0),
    ]
    assert sorted(table(connection, "projection_rebuild", "tasks")) == [0, 0, 4]
    assert call(connection, "mend_projections") == [0]


def test_a_generation_gets_the_number_of_its_tables_and_whoever_led_it_begins_anew(
    connection: Connection,
) -> None:
    make(connection)
    epoch = lead(connection)
    connection.execute("update flowledger.projection set generation = 5 where name = 'money'")

    assert call(connection, "mend_projections") == [1]

    assert row(connection, "epoch", "leader", "lease_until") == (epoch + 1, None, None)
    assert call(connection, "misnumbered_generations") == []
    assert call(connection, "mend_projections") == [0]


def test_a_generation_whose_tables_nobody_knows_stays_as_it_is(connection: Connection) -> None:
    make(connection)
    connection.execute("drop schema money__1 cascade")

    assert call(connection, "mend_projections") == [0]
    assert row(connection, "state") == "serving"
