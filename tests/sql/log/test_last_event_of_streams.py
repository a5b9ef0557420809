"""last_event_of_streams: where streams ended, as of a position."""

from __future__ import annotations

from support.sql_calls import Connection, Row, append, call, new_id


def test_the_last_event_up_to_a_position_counts(connection: Connection) -> None:
    one, two, none = (new_id() for _ in range(3))
    first, other, second = append(connection, Row(one, 1, "a"), Row(two, 1, "b"), Row(one, 2, "c"))

    def found(until: int) -> list[tuple[int, str]]:
        rows = call(connection, "last_event_of_streams", [one, two, none], until)
        return sorted((row[0], row[6]) for row in rows)

    assert found(second) == [(other, "b"), (second, "c")]
    assert found(other) == [(first, "a"), (other, "b")]
    assert found(first - 1) == []
