"""fact_topics: what coordinators decide on, as SQL knows it."""

from __future__ import annotations

from flowledger.engine.events.registry import FACT_TOPICS
from support.sql_calls import Connection, call


def test_they_are_those_of_the_domain(connection: Connection) -> None:
    assert call(connection, "fact_topics") == [[*FACT_TOPICS]]
