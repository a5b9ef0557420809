"""payload_not_before_previous: an event that would be earlier than the one before gets its time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flowledger.engine.events.task import TaskStarted
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.payload_header import microseconds
from support.builders import NOON, event
from support.sql_calls import Connection, Row, append, call, new_id


def state_at(seconds: float) -> bytes:
    """The payload of an event that happened so many seconds after noon."""
    at = NOON + timedelta(seconds=seconds)
    return EventMapper().payload(event(TaskStarted, 2).model_copy(update={"occurred_at": at}))


@pytest.mark.parametrize(("seconds", "kept"), [(-1, False), (0, True), (1, True)])
def test_only_what_would_be_earlier_is_changed_and_only_its_time(
    connection: Connection, seconds: int, *, kept: bool
) -> None:
    stream = new_id()
    append(connection, Row(stream, 1, "task.created", state_at(0), stream))

    (found,) = call(connection, "payload_not_before_previous", stream, 2, state_at(seconds), 0)

    assert found == state_at(seconds if kept else 0)
    assert call(connection, "payload_occurred_at", found, 0) == [
        microseconds(NOON + timedelta(seconds=max(0, seconds)))
    ]


def test_the_first_of_a_stream_and_what_has_no_head_stay_as_they_are(
    connection: Connection,
) -> None:
    stream = new_id()
    append(connection, Row(stream, 1, "task.created", state_at(0), stream))

    assert call(connection, "payload_not_before_previous", new_id(), 1, state_at(-1), 0) == [
        state_at(-1)
    ]
    assert call(connection, "payload_not_before_previous", stream, 2, b"{}", 0) == [b"{}"]
    assert call(connection, "payload_not_before_previous", stream, 2, state_at(-1), 1) == [
        state_at(-1)
    ]
