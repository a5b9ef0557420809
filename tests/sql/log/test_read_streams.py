"""read_streams: whole streams, and no others."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id


def test_every_event_of_the_streams_comes(connection: Connection) -> None:
    one, two = new_id(), new_id()
    positions = append(connection, Row(one, 1), Row(two, 1), Row(one, 2, state=b'{"n": 2}'))

    found = sorted(call(connection, "read_streams", [one]))

    assert [row[:3] for row in found] == [(positions[0], one, 1), (positions[2], one, 2)]
    assert found[1][3:] == ("step.started", b'{"n": 2}', None)
