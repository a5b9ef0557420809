"""inline_model_status: how the models stand that are written with decisions."""

from __future__ import annotations

from typing import Any

from support.generation_rows import happen, later
from support.sql_calls import Connection, call, new_id

TOPICS = ["step.started"]


def status(connection: Connection) -> Any:
    (found,) = call(connection, "inline_model_status", 60.0, TOPICS)
    return found


def lead(connection: Connection, seconds: float = 36_000.0) -> None:
    call(connection, "acquire_shard_lease", 0, new_id(), seconds)


def test_where_nobody_decides_they_have_no_host(connection: Connection) -> None:
    assert status(connection)[:6] == ("step_readiness", 0, 1, "inline", "no_host", True)


def test_where_every_fact_is_decided_they_are_caught_up(connection: Connection) -> None:
    lead(connection)

    assert status(connection)[4:9] == ("caught_up", True, 0, 0, 0)


def test_behind_a_fact_that_is_undecided_they_run_until_that_takes_long(
    connection: Connection,
) -> None:
    lead(connection)
    last = happen(connection, 2)
    assert status(connection)[4:9] == ("running", True, last - 2, last, 2)

    later(connection, 61)

    assert status(connection)[4:6] == ("stalled", False)
    assert status(connection)[9] > 60
