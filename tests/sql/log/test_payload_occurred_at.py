"""payload_occurred_at: when an event happened, as the mapper's frame has it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine.events.task import TaskStarted
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.payload_header import microseconds
from support.builders import event
from support.sql_calls import Connection, call


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    when=st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is given beside
    caused=st.booleans(),
    named=st.booleans(),
)
def test_it_is_the_time_of_the_head(
    connection: Connection, when: datetime, *, caused: bool, named: bool
) -> None:
    happened = event(TaskStarted, 2, template="order" if named else "or/der")
    cause = happened.event_id if caused else None
    state = EventMapper().payload(
        happened.model_copy(update={"occurred_at": when, "causation_id": cause})
    )

    assert call(connection, "payload_occurred_at", state, 0) == [microseconds(when)]


@pytest.mark.parametrize(
    ("state", "encoding"),
    [(b"{}", 0), (b"", 0), (b"\x01short", 0), (b"\x01" * 50, 1)],
    ids=["no head", "empty", "cut off", "encrypted"],
)
def test_it_is_unknown_where_there_is_no_head(
    connection: Connection, state: bytes, encoding: int
) -> None:
    assert call(connection, "payload_occurred_at", state, encoding) == [None]
