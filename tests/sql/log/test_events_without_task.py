"""events_without_task: what is no task's, of some topics, a page at a time."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id

TOPICS = ["projection.paused", "shards.changed"]


def test_only_these_topics_behind_a_position_and_so_many_are_told(connection: Connection) -> None:
    task = new_id()
    streams = [new_id() for _ in range(4)]
    rows = [
        Row(streams[0], 1, topic="projection.paused", task=None),
        Row(streams[1], 1, topic="template.paused", task=None),
        Row(task, 1, topic="task.created", task=task),
        Row(streams[2], 1, topic="shards.changed", task=None),
        Row(streams[3], 1, topic="shards.changed", task=None),
    ]
    places = append(connection, *rows)

    found = call(connection, "events_without_task", places[0], 1, TOPICS)
    every = call(connection, "events_without_task", 0, 10, TOPICS)

    assert [row[:4] for row in found] == [(places[3], streams[2], 1, "shards.changed")]
    assert [row[0] for row in every] == [places[0], places[3], places[4]]
