"""rows_against_checks: rows that the checks of their tables would refuse."""

from __future__ import annotations

from support.sql_calls import Connection, call

CHECK = "circuit_probes_check"


def test_rows_from_before_a_check_are_named_by_their_keys(connection: Connection) -> None:
    (definition,) = connection.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", (CHECK,)
    ).fetchall()[0]
    connection.execute(f"alter table flowledger.circuit drop constraint {CHECK}".encode())
    connection.execute(
        "insert into flowledger.circuit (system, revision, state, failures, openings, probes,"
        " stream_version) values ('well', 1, 'closed', 0, 0, '{}', 0),"
        " ('odd', 1, 'closed', 0, 0, '{null}', 0)"
    )
    added = f"alter table flowledger.circuit add constraint {CHECK} {definition}"
    connection.execute(added.encode())

    assert call(connection, "rows_against_checks", ["circuit", "shard"]) == [
        ("circuit", CHECK, "odd")
    ]


def test_where_every_row_is_as_it_should_be_there_is_none(connection: Connection) -> None:
    assert call(connection, "rows_against_checks", ["circuit", "shard", "queue"]) == []


def test_counts_that_a_check_lets_in_and_nobody_counts_on_from_are_named(
    connection: Connection,
) -> None:
    connection.execute(
        "insert into flowledger.circuit (system, revision, state, failures, openings, probes,"
        " stream_version) values ('well', 500000000000, 'closed', 500000000, 0, '{}', 0),"
        " ('times', 1, 'closed', 1000000000, 0, '{}', 0),"
        " ('version', 1, 'closed', 0, 0, '{}', 1000000000000)"
    )
    connection.execute("update flowledger.shard set epoch = 1000000000000")

    assert call(connection, "rows_against_checks", ["circuit", "shard"]) == [
        ("circuit", "circuit_counts_check", "times"),
        ("circuit", "circuit_counts_check", "version"),
        ("shard", "shard_epoch_check", "0"),
    ]
