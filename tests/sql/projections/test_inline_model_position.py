"""inline_model_position: how far the models are that are written with decisions."""

from __future__ import annotations

from support.generation_rows import happen
from support.sql_calls import Connection, Row, append, call, new_id


def test_an_empty_log_is_all_decided(connection: Connection) -> None:
    assert call(connection, "inline_model_position", ["step.started"]) == [0]


def test_it_ends_before_the_first_fact_that_is_undecided(connection: Connection) -> None:
    append(connection, Row(new_id(), topic="step.enqueued"))
    fact = append(connection, Row(new_id(), topic="step.started"))[0]
    happen(connection, 2)

    assert call(connection, "inline_model_position", ["step.started"]) == [fact - 1]


def test_it_is_the_end_of_the_log_where_every_fact_is_decided(connection: Connection) -> None:
    last = happen(connection, 3)
    call(connection, "acquire_shard_lease", 0, new_id(), 60.0)
    call(connection, "advance_shard_position", 0, 1, 0, last, 60.0)

    assert call(connection, "inline_model_position", ["step.started"]) == [last]
