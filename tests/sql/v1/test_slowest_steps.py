"""flowledger_v1.slowest_steps: the attempts that ran longest."""

from __future__ import annotations

from datetime import timedelta

from support.read_model_rows import attempt_row, called
from support.sql_calls import Connection


def ran(connection: Connection, *arguments: object, **named: object) -> list[float]:
    rows = called(connection, "slowest_steps", *arguments, **named)
    return [row["run_seconds"] for row in rows]


def test_the_slowest_are_first_and_as_many_as_are_asked_for(connection: Connection) -> None:
    for seconds in (3, 1, 4, 1.5, 9):
        attempt_row(connection, seconds)

    assert ran(connection) == [9, 4, 3, 1.5, 1]
    assert ran(connection, timedelta(hours=1), 2) == [9, 4]
    assert called(connection, "slowest_steps")[0]["queue_seconds"] == 2


def test_what_has_not_ended_or_never_ran_is_left_out(connection: Connection) -> None:
    attempt_row(connection, 5, started_at=None, outcome="cancelled")
    attempt_row(connection, 5, ended_at=None, outcome=None)
    attempt_row(connection, 5, outcome="failed")

    assert [row["outcome"] for row in called(connection, "slowest_steps")] == ["failed"]


def test_it_can_be_asked_of_a_time_and_a_template(connection: Connection) -> None:
    attempt_row(connection, 1, ago=70)
    attempt_row(connection, 2, version="2")
    attempt_row(connection, 3, namespace="bank", template="loan")

    assert ran(connection, timedelta(hours=1)) == [3, 2]
    assert ran(connection, of_namespace="shop") == [2, 1]
    assert ran(connection, of_template="loan") == [3]
    assert ran(connection, of_version="2") == [2]
