"""Between events and rows of the log: what is refused, and where it is said to lie."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.cipher import AESCipher
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.utils import Environment

from flowledger.engine.errors import LogCorrupt, UnstorableEvent
from flowledger.engine.events import registry as upcasts
from flowledger.engine.events.base import Event
from flowledger.engine.events.step import StepCompleted, StepEnqueued, StepStarted
from flowledger.engine.events.task import TaskStarted
from flowledger.engine.store.log.event_mapper import (
    EventMapper,
    StoredLogEvent,
    moment,
)
from flowledger.engine.store.log.eventsourcing_recorders import event_arrays
from flowledger.engine.store.log.payload_header import begins_with_header, read_header
from support.builders import NOON, TASK, event

PLACE = f"the event at version 2 of stream {TASK}"
MAPPER = EventMapper()


def cipher() -> AESCipher:
    return AESCipher(Environment(env={"CIPHER_KEY": AESCipher.create_key(32)}))


def fields_of(state: bytes) -> dict[str, Any]:
    """All fields of a payload as JSON has them."""
    head, end = read_header(state) if begins_with_header(state) else ({}, 0)
    found: dict[str, Any] = json.loads(json.dumps(head, default=str))
    return found | json.loads(state[end:] or b"{}")


def stored(topic: str = "task.started", **changed: Any) -> StoredLogEvent:
    fields = fields_of(MAPPER.to_stored_event(event(TaskStarted, 2)).state)
    kept = {name: value for name, value in {**fields, **changed}.items() if value is not ...}
    return row(json.dumps(kept).encode(), topic)


def row(state: bytes, topic: str = "task.started") -> StoredLogEvent:
    return StoredLogEvent(TASK, 2, topic, state, TASK)


NAMED = MAPPER.payload(event(TaskStarted, 2).model_copy(update={"correlation_id": str(TASK)}))
HEAD = b"\1" + NAMED[1:25]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        pytest.param(stored("task.exploded"), "unknown 'task.exploded'", id="an unknown topic"),
        pytest.param(stored(schema_version=2), "version 2 of task.started", id="a future version"),
        pytest.param(stored(schema_version="x"), "cannot be read", id="a version of words"),
        pytest.param(
            StoredLogEvent(TASK, 2, "task.started", stored().state), "task_id", id="no task"
        ),
        pytest.param(stored(namespace=...), "namespace", id="a missing field"),
        pytest.param(stored(colour="red"), "colour", id="a field that is not known"),
        pytest.param(stored(occurred_at="noon"), "occurred_at", id="a broken value"),
        pytest.param(row(b"{"), "cannot be read", id="no JSON"),
        pytest.param(row(b""), "cannot be read", id="nothing"),
        pytest.param(row(b"[1]"), "cannot be read", id="a list"),
        pytest.param(row(b"null"), "cannot be read", id="null"),
        pytest.param(row(b"\xff"), "cannot be read", id="bytes"),
        pytest.param(row(HEAD[:-1]), "its head has 24 bytes of 25", id="half a head"),
        pytest.param(row(b"\2" + HEAD[1:]), "its head has 25 bytes of 41", id="a short one"),
        pytest.param(row(HEAD), "cannot be read", id="a head without a text"),
        pytest.param(row(HEAD + stored().state), "say the same field", id="a field said twice"),
        pytest.param(row(HEAD[:17] + b"\x7f" * 8 + b"{}"), "microseconds from 1970", id="no time"),
        pytest.param(row(b"\7" + HEAD[1:] + b"{}"), "cannot be read", id="a head of another kind"),
        pytest.param(row(NAMED[:-1]), "its head has 35 bytes of 36", id="half a name"),
        pytest.param(row(NAMED[:25]), "its head has 1 names", id="no names"),
        pytest.param(row(NAMED[:25] + b"\4shop"), "its head has 1 names", id="one name"),
        pytest.param(row(NAMED[:25] + b"\7a/b/c/d"), "its head has 4 names", id="four names"),
        pytest.param(row(NAMED[:25] + b"\5a/b/c\0"), "bytes of 33", id="half an attempt"),
        pytest.param(row(NAMED[:25] + b"\3a/\xff"), "cannot be read", id="a name of bytes"),
        pytest.param(row(NAMED + stored().state), "say the same field", id="a name said twice"),
        pytest.param(row(b"\5" + NAMED[1:30]), "its head has 30 bytes of 41", id="half a worker"),
    ],
)
def test_what_is_no_event_is_refused_by_its_place(broken: StoredEvent, why: str) -> None:
    with pytest.raises(LogCorrupt) as caught:
        MAPPER.to_domain_event(broken)

    assert str(caught.value).startswith(PLACE)
    assert why in str(caught.value)


def test_the_position_is_named_where_it_is_known() -> None:
    notified = Notification(TASK, 2, "task.exploded", b"{}", 71)

    with pytest.raises(LogCorrupt, match=f"position 71, version 2 of stream {TASK}"):
        MAPPER.to_domain_event(notified)


@pytest.mark.parametrize(
    "mapper",
    [
        pytest.param(EventMapper(compressor=ZlibCompressor()), id="compressed"),
        pytest.param(EventMapper(cipher=cipher()), id="encrypted"),
        pytest.param(EventMapper(ZlibCompressor(), cipher()), id="both"),
    ],
)
@pytest.mark.parametrize("state", [b"", b"x", b"\0" * 50, zlib.compress(b"{}")[:-3]])
def test_a_broken_payload_is_refused_however_it_is_encoded(
    mapper: EventMapper, state: bytes
) -> None:
    with pytest.raises(LogCorrupt, match=f"version 2 of stream {TASK}"):
        mapper.to_domain_event(row(state))


def test_what_another_key_encrypted_is_refused() -> None:
    secret = EventMapper(cipher=cipher()).to_stored_event(event(TaskStarted, 2))

    with pytest.raises(LogCorrupt, match="cannot be read"):
        EventMapper(cipher=cipher()).to_domain_event(secret)


def test_a_secret_shows_in_no_encrypted_row() -> None:
    secret = event(StepCompleted, 3, step="a", result={"card": "4111111111111111"})

    assert b"4111" in MAPPER.to_stored_event(secret).state
    assert b"4111" not in EventMapper(cipher=cipher()).to_stored_event(secret).state


def test_only_events_of_the_engine_are_stored() -> None:
    with pytest.raises(TypeError, match="Path is not an event of the engine"):
        MAPPER.to_stored_event(Path())


@pytest.mark.parametrize("value", [object(), {1: 2}, 2**64, {"a": {1, 2}}, "\ud800"])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(UnstorableEvent):
        MAPPER.to_stored_event(event(StepCompleted, 3, step="a", result=value))


def test_a_time_keeps_its_microseconds_and_its_instant() -> None:
    there = NOON.replace(microsecond=123_456).astimezone(timezone(timedelta(hours=5, minutes=45)))
    told = event(TaskStarted, 2).model_copy(update={"occurred_at": there})

    read = MAPPER.to_domain_event(MAPPER.to_stored_event(told))

    assert read.occurred_at == there
    assert read.occurred_at.microsecond == 123_456


def test_an_old_shape_is_upgraded_on_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    old = MAPPER.to_stored_event(event(StepCompleted, 3, step="a", result=1))
    renames = {("step.completed", 1): lambda fields: {**fields, "result": [fields["result"]]}}
    monkeypatch.setattr(StepCompleted, "current_version", 2)
    monkeypatch.setattr(upcasts.upcast, "__defaults__", (renames,))

    read = MAPPER.to_domain_event(old)

    assert isinstance(read, StepCompleted)
    assert (read.result, read.schema_version) == ([1], 2)


def test_what_the_reader_knows_is_not_written() -> None:
    told = event(TaskStarted, 2).model_copy(update={"correlation_id": str(TASK)})

    stored = MAPPER.to_stored_event(told)

    assert fields_of(stored.state).keys() == {"event_id", "occurred_at", "namespace", "template"}
    assert MAPPER.to_domain_event(stored) == told


@pytest.mark.parametrize(
    ("told", "size"),
    [
        pytest.param(event(TaskStarted, 2), 25 + 11, id="a task"),
        pytest.param(event(StepEnqueued, 1, step="pay"), 25 + 15 + 2, id="a step"),
        pytest.param(
            event(StepEnqueued, 1, step="pay", causation_id=TASK), 41 + 15 + 2, id="with a cause"
        ),
        pytest.param(
            event(StepStarted, 2, step="pay", worker=TASK), 25 + 16 + 15 + 2, id="with a worker"
        ),
    ],
)
def test_names_are_in_the_head_and_nothing_else_is_written(told: Event, size: int) -> None:
    told = told.model_copy(update={"correlation_id": str(TASK)})

    stored = MAPPER.to_stored_event(told)

    assert len(stored.state) == size
    assert MAPPER.to_domain_event(stored) == told


@pytest.mark.parametrize(
    "changed",
    [
        {"step": "a/b"},
        {"step": "x" * 255},
        {"step": "a\0b"},
        {"attempt": 2**15},
        {"attempt": 2**31 - 1},
    ],
    ids=["a slash", "long", "nul", "tried often", "tried very often"],
)
def test_names_that_do_not_fit_in_the_head_are_in_the_text(changed: dict[str, Any]) -> None:
    told = event(StepEnqueued, 1, step="pay").model_copy(update=changed)

    stored = MAPPER.to_stored_event(told)

    assert b'"namespace":"shop"' in stored.state
    assert MAPPER.to_domain_event(stored) == told


def test_an_event_whose_names_are_in_its_text_is_read_as_ever() -> None:
    told = event(StepEnqueued, 1, step="pay")
    head, end = read_header(MAPPER.payload(told))
    del head["event_id"], head["occurred_at"]
    state = HEAD + json.dumps({**head, "correlation_id": "c"}).encode()

    read = MAPPER.event(told.originator_id, 1, "step.enqueued", state, TASK)

    assert end == 25 + 15 + 2
    assert read.model_copy(update={"event_id": told.event_id}) == told


@pytest.mark.parametrize("mapper", [MAPPER, EventMapper(ZlibCompressor())])
def test_columns_are_the_rows_turned_around(mapper: EventMapper) -> None:
    events = [event(TaskStarted, 2), event(StepCompleted, 3, step="a", result=[1])]

    rows = event_arrays([mapper.to_stored_event(one) for one in events])

    assert [column.data for column in mapper.columns(events)] == [column.data for column in rows]


@pytest.mark.parametrize(
    ("microseconds", "time"),
    [
        (None, None),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (2**63 - 1, datetime.max.replace(tzinfo=UTC)),
        (-(2**63), datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_time_that_no_calendar_has_is_the_nearest(
    microseconds: int | None, time: datetime | None
) -> None:
    assert moment(microseconds) == time


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T00:00:00.000001Z",
        "0001-01-01T23:59:59Z",
        "2026-03-01T12:00:00",
    ],
)
def test_an_event_of_a_time_that_no_clock_had_cannot_be_read(time: str) -> None:
    fields = {
        "event_id": str(TASK),
        "occurred_at": time,
        "namespace": "shop",
        "template": "order",
    }
    mapper = EventMapper()

    with pytest.raises(LogCorrupt, match="cannot be read"):
        mapper.event(TASK, 1, "task.started", json.dumps(fields).encode(), TASK)
