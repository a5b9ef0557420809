"""projection_position: how far the rows of a projection, or of an inline model, are."""

from __future__ import annotations

from flowledger.engine.events.registry import FACT_TOPICS
from support.generation_rows import advance, happen, make
from support.sql_calls import Connection, call


def test_a_projection_is_as_far_as_the_generation_that_serves(connection: Connection) -> None:
    make(connection)
    advance(connection, 7)
    make(connection, anew=True)

    assert call(connection, "projection_position", "money", sorted(FACT_TOPICS)) == [7]


def test_there_is_none_of_the_name(connection: Connection) -> None:
    assert call(connection, "projection_position", "money", sorted(FACT_TOPICS)) == [None]


def test_the_model_that_is_written_with_decisions_is_as_far_as_they_are(
    connection: Connection,
) -> None:
    last = happen(connection, 2)

    assert call(connection, "projection_position", "step_readiness", ["step.started"]) == [0]
    assert call(connection, "projection_position", "step_readiness", ["no.such"]) == [last]
