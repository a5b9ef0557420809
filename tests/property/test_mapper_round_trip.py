"""What is put into the log comes out of it: every event, plain, compressed and encrypted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args
from uuid import UUID

import pytest
from eventsourcing.cipher import AESCipher
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.utils import Environment
from hypothesis import given, settings
from hypothesis import strategies as st

from flowledger.engine.errors import LogCorrupt
from flowledger.engine.events.base import Event, TaskEvent
from flowledger.engine.events.circuit import CircuitOpened
from flowledger.engine.events.engine_actions import EngineAction, ProjectionEventSkipped
from flowledger.engine.events.notes import TaskNote
from flowledger.engine.events.registry import EVENTS
from flowledger.engine.events.requests import TaskRequest
from flowledger.engine.events.step import Category, StepError, StepFailed, WaitReason
from flowledger.engine.events.task import TaskTimedOut
from flowledger.engine.store.log.event_mapper import (
    ENCODED,
    PLAIN,
    EventMapper,
    StoredLogEvent,
)
from flowledger.engine.store.log.payload_header import read_header
from support.examples import examples

CIPHER = AESCipher(Environment(env={"CIPHER_KEY": AESCipher.create_key(32)}))
MAPPERS = {
    "plain": EventMapper(),
    "compressed": EventMapper(compressor=ZlibCompressor()),
    "encrypted": EventMapper(cipher=CIPHER),
    "compressed and encrypted": EventMapper(compressor=ZlibCompressor(), cipher=CIPHER),
}
STREAM = UUID(int=7)
PER_KIND = examples(10)
"""Examples of each kind of event: the kinds share their fields, and the code that maps them."""

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)
ZONES = st.just(UTC) | st.integers(-12 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
TIMES = st.datetimes(timezones=ZONES)
VERSIONS = st.integers(1, 2**63 - 1)
ERRORS = st.builds(
    StepError,
    error_class=TEXT,
    message=TEXT,
    category=st.sampled_from(get_args(Category)),
    retryable=st.booleans(),
    traceback=st.none() | TEXT,
    retry_after_seconds=st.none() | st.floats(0, 1e9),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "originator_id": st.uuids(),
    "originator_version": VERSIONS,
    "event_id": st.uuids(),
    "occurred_at": st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 30), timezones=ZONES),  # noqa: DTZ001
    "correlation_id": TEXT,
    "causation_id": st.none() | st.uuids(),
    "actor": st.none() | TEXT,
    "schema_version": st.just(1),
    "namespace": TEXT,
    "template": TEXT,
    "version": TEXT,
    "definition_hash": TEXT,
    "definition": OBJECTS,
    "task_id": st.uuids(),
    "template_id": st.uuids(),
    "context": JSON,
    "identity": st.none() | TEXT,
    "priority": st.integers(-(2**31), 2**31 - 1),
    "submission": st.none() | VERSIONS,
    "failed_steps": st.lists(TEXT, max_size=3).map(tuple),
    "step": TEXT,
    "attempt": st.integers(0, 2**31 - 1),
    "worker": st.uuids(),
    "result": JSON,
    "error": ERRORS,
    "timeout_seconds": st.floats(0, 1e9),
    "due_at": TIMES,
    "reason": TEXT.filter(bool),
    "message": TEXT,
    "start_at": st.none() | TIMES,
    "deadline_at": st.none() | TIMES,
    "turn_since": st.none() | TIMES,
    "until": st.none() | TIMES,
    "state": JSON,
    "request": st.uuids(),
    "system": TEXT,
    "failures": st.integers(0, 2**31 - 1),
    "waited_for": st.none() | st.sampled_from(get_args(WaitReason)),
    "waited_since": st.none() | TIMES,
    "tags": st.lists(TEXT, max_size=3).map(tuple),
    "changes": st.lists(TEXT, max_size=3).map(tuple),
    "more": st.integers(0, 9),
    "projection": TEXT,
    "generation": st.integers(1, 9),
    "rebuild": st.integers(1, 9),
    "task": st.none() | st.uuids(),
    "cancelled": st.integers(0, 9),
    "events": st.integers(0, 9),
    "position": st.none() | st.integers(1, 9),
    "failure": TEXT,
    "tasks": st.lists(st.uuids(), max_size=3).map(tuple),
    "before": st.integers(1, 9),
    "shards": st.integers(1, 9),
    "by_seconds": st.floats(-1e9, 1e9),
    "ahead_seconds": st.floats(-1e9, 1e9),
    "role": TEXT,
    "release": TEXT,
    "files": st.lists(TEXT, max_size=3).map(tuple),
    "kind": TEXT,
    "value": JSON,
}


OWN: dict[type[Event], dict[str, st.SearchStrategy[Any]]] = {
    StepFailed: {"reason": st.sampled_from(get_args(StepFailed.model_fields["reason"].annotation))},
    TaskTimedOut: {"deadline_at": TIMES},
    CircuitOpened: {"until": TIMES},
    ProjectionEventSkipped: {"position": st.integers(1, 9)},
}
"""Fields that mean less in one event than their name does in the others."""


def events(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of the class; a field without values here is a KeyError."""
    values = {**VALUES, **OWN.get(kind, {})}
    if issubclass(kind, TaskRequest | TaskNote | EngineAction):
        values["actor"] = TEXT.filter(bool)
    return st.builds(kind, **{name: values[name] for name in kind.model_fields})


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
@settings(max_examples=PER_KIND)
@given(data=st.data())
def test_an_event_comes_back_as_it_was(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    mapper = MAPPERS["plain"]

    assert mapper.to_domain_event(mapper.to_stored_event(event)) == event


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
@settings(max_examples=PER_KIND)
@given(data=st.data())
def test_an_event_made_without_checks_is_the_checked_one(
    kind: type[Event], data: st.DataObject
) -> None:
    event = data.draw(events(kind))
    given = {name: getattr(event, name) for name in kind.model_fields if name in event.__dict__}
    needed = {
        name: value
        for name, value in given.items()
        if kind.model_fields[name].is_required() or value != kind.model_fields[name].default
    }

    assert kind.of(**needed) == event
    assert kind.of(**needed).model_dump() == event.model_dump()


@pytest.mark.parametrize("name", [name for name in MAPPERS if name != "plain"])
@given(event=st.sampled_from(list(EVENTS.values())).flatmap(events))
def test_an_encoded_event_comes_back_as_it_was(name: str, event: Event) -> None:
    mapper = MAPPERS[name]

    stored = mapper.to_stored_event(event)

    assert stored.encoding == ENCODED
    assert mapper.to_domain_event(stored) == event


@given(event=st.sampled_from(list(EVENTS.values())).flatmap(events))
def test_what_is_a_column_of_the_log_is_no_part_of_the_payload(event: Event) -> None:
    stored = MAPPERS["plain"].to_stored_event(event)

    head, end = read_header(stored.state)
    text = stored.state[end:]
    fields = MAPPERS["plain"].transcoder.decode(text) if text else {}

    assert not head.keys() & fields.keys()
    assert head.keys() >= {"event_id", "occurred_at"}
    assert not {"originator_id", "originator_version", "task_id", "topic"} & fields.keys()
    assert None not in fields.values()
    assert (stored.originator_id, stored.originator_version, stored.topic, stored.encoding) == (
        event.originator_id,
        event.originator_version,
        event.topic,
        PLAIN,
    )
    of_a_task = isinstance(event, TaskEvent | TaskNote)
    assert stored.task_id == (event.task_id if of_a_task else None)


@given(
    topic=st.sampled_from(list(EVENTS)) | TEXT,
    state=st.binary(max_size=40) | JSON.map(EventMapper().transcoder.encode),
    name=st.sampled_from(list(MAPPERS)),
)
def test_whatever_lies_in_the_log_is_an_event_or_named_as_corrupt(
    topic: str, state: bytes, name: str
) -> None:
    stored = StoredLogEvent(STREAM, 1, topic, state, STREAM)

    with pytest.raises(LogCorrupt, match=str(STREAM)):
        MAPPERS[name].to_domain_event(stored)
