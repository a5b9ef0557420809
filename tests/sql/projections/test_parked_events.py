"""parked_events: what the generation that serves put aside, as operators see it."""

from __future__ import annotations

from support.generation_rows import make, park, row
from support.sql_calls import Connection, Row, append, call, new_id


def test_events_come_in_the_order_of_the_log_with_their_topics(connection: Connection) -> None:
    make(connection)
    task = new_id()
    first, second = append(
        connection, Row(new_id(), topic="step.started"), Row(new_id(), topic="step.attempt_failed")
    )
    park(connection, second, first, task=task)

    found = [
        (p, t, topic, e) for _, p, t, topic, e, *_ in call(connection, "parked_events", "money")
    ]

    assert found == [
        (first, task, "step.started", "broken"),
        (second, task, "step.attempt_failed", "broken"),
    ]


def test_only_what_serves_is_told_of(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    park(connection, 4, generation=2)

    assert row(connection, "state", generation=2) == "building"
    assert call(connection, "parked_events", "money") == []


def test_what_was_dropped_is_not_there_any_more(connection: Connection) -> None:
    make(connection)
    park(connection, 4)
    call(connection, "request_parked_action", "money", "drop", None, 4)
    call(connection, "record_parked_outcomes", "money", 1, [4], [], "")

    assert call(connection, "parked_events", "money") == []
