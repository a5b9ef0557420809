"""Maps events to stored bytes and back: the `eventsourcing` mapper for pydantic events.

A payload is a header in binary (`payload_header`) and the event's other fields as JSON. Left out
are what is a column of the log, nulls, and two fields that nearly always have the same value: a
schema version of 1, and a correlation id that is the task's id. With three events a step, every
byte here is a tenth of a percent of all that is written.

The library's compressor and cipher may be applied to it; the column `encoding` of the log says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.persistence import Cipher, Compressor, Mapper, StoredEvent, Transcoder
from pydantic import BaseModel, ValidationError

from flowledger.engine.domain.deterministic_ids import EPOCH
from flowledger.engine.domain.json_values import MOST_STORED, is_nested_too_deeply
from flowledger.engine.domain.storable_text_check import storable
from flowledger.engine.errors import LogCorrupt, UnstorableEvent
from flowledger.engine.events.base import Event
from flowledger.engine.events.registry import EVENTS, upcast
from flowledger.engine.events.unreadable import UnreadableEvent
from flowledger.engine.store.connection.arrays import (
    BigintArray,
    ByteaArray,
    EventArrays,
    TextArray,
    UuidArray,
)
from flowledger.engine.store.connection.far_times import FIRST, LAST
from flowledger.engine.store.log.payload_header import (
    FIELDS,
    NAMED,
    begins_with_header,
    header_of,
    names_of,
    read_header,
)

FIRST_TIME = datetime(1, 1, 2, tzinfo=UTC)
LAST_TIME = datetime(9999, 12, 31, tzinfo=UTC)
"""Before and behind these there is a time zone in which Python cannot tell the time, and soon none
in which one can go on from it: no clock of the engine's was there, so the event was forged."""

PLAIN, ENCODED = 0, 1
COLUMNS = frozenset({"originator_id", "originator_version", "task_id"})
KNOWN = frozenset({"schema_version", "correlation_id"})
# For each topic its kind, and what makes a checked event of its fields: as `model_validate`
# does, without its arguments, in half of the time.
READERS = {
    topic: (
        kind,
        cast("Callable[[dict[str, Any]], Event]", kind.__pydantic_validator__.validate_python),
    )
    for topic, kind in EVENTS.items()
}


def moment(microseconds: int | None) -> datetime | None:
    """The time that is so many microseconds after 1970, UTC, or the nearest that there is."""
    if microseconds is None:
        return None
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return FIRST if microseconds < 0 else LAST


@dataclass(frozen=True)
class StoredLogEvent(StoredEvent):
    """A stored event with the columns that this log has beside the library's."""

    task_id: UUID | None = None
    encoding: int = PLAIN


class JsonTranscoder(Transcoder):
    """JSON by orjson: datetimes, UUIDs and pydantic models as they are."""

    def encode(self, obj: Any) -> bytes:
        """The value as UTF-8 JSON. Raises TypeError where it is none."""
        return orjson.dumps(obj, default=_model_fields, option=orjson.OPT_UTC_Z)

    def decode(self, data: bytes) -> Any:
        """The value of UTF-8 JSON. Raises ValueError where it is none."""
        return orjson.loads(data)


def _model_fields(value: object) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return dict(value.__dict__)
    raise TypeError(f"{type(value).__name__} is not JSON")


@cache
def payload_of(kind: type[Event], *, named: bool) -> tuple[str, ...]:
    """The fields that are in every payload as JSON, where they have a value."""
    elsewhere = COLUMNS | KNOWN | FIELDS | NAMED if named else COLUMNS | KNOWN | FIELDS
    return tuple(name for name in kind.model_fields if name not in elsewhere)


def _json(event: Event, fields: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields, default=_model_fields, option=orjson.OPT_UTC_Z)
    except TypeError as error:
        raise UnstorableEvent(f"an event {event.topic!r} cannot be stored: {error}") from error


class EventMapper(Mapper[UUID]):
    """Between domain events and stored events; topics are names, old shapes are upgraded."""

    def __init__(self, compressor: Compressor | None = None, cipher: Cipher | None = None) -> None:
        super().__init__(JsonTranscoder(), compressor, cipher)
        self._encoding = PLAIN if compressor is None and cipher is None else ENCODED

    def to_stored_event(self, domain_event: Any) -> StoredLogEvent:
        """The event as a row of the log. Raises TypeError for what is no event of the engine."""
        if not isinstance(domain_event, Event):
            raise TypeError(f"{type(domain_event).__name__} is not an event of the engine")
        return StoredLogEvent(
            domain_event.originator_id,
            domain_event.originator_version,
            domain_event.topic,
            self.payload(domain_event),
            domain_event.__dict__.get("task_id"),
            self._encoding,
        )

    def columns(self, events: Sequence[Event]) -> EventArrays:
        """The columns of the events' rows, for the functions that append."""
        return (
            UuidArray([event.originator_id for event in events]),
            BigintArray([event.originator_version for event in events]),
            TextArray([event.topic for event in events]),
            ByteaArray([self.payload(event) for event in events]),
            UuidArray([event.__dict__.get("task_id") for event in events]),
            BigintArray([self._encoding] * len(events)),
        )

    def payload(self, event: Event) -> bytes:
        """What is stored of the event beside the columns. Raises UnstorableEvent."""
        values = event.__dict__
        names = names_of(values)
        fields = {
            name: value
            for name in payload_of(type(event), named=names is not None)
            if (value := values[name]) is not None
        }
        if values["schema_version"] != 1:
            fields["schema_version"] = values["schema_version"]
        if values["correlation_id"] != id_text(values.get("task_id")):
            fields["correlation_id"] = values["correlation_id"]
        state = header_of(values, names)
        if fields or names is None:
            state += _json(event, fields)
        return state if self._encoding == PLAIN else self._hide(state)

    def to_domain_event(self, stored_event: StoredEvent) -> Event:
        """The event of a row. Raises LogCorrupt for an unknown topic or a payload of no event."""
        return self.event(
            stored_event.originator_id,
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
            getattr(stored_event, "task_id", None),
            getattr(stored_event, "id", None),
        )

    def event(  # noqa: PLR0913, PLR0917 - the columns of a row, in their order
        self,
        stream: UUID | str,
        version: int,
        topic: str,
        state: bytes,
        task_id: UUID | None = None,
        position: int | None = None,
    ) -> Event:
        """The event of these columns. Raises LogCorrupt as `to_domain_event` does."""
        try:
            kind, checked = READERS[topic]
            fields = self._fields(state)
            if fields.get("schema_version", 1) != kind.current_version:
                fields = upcast(topic, fields)
            fields["originator_id"] = stream
            fields["originator_version"] = version
            if task_id is not None:
                fields["task_id"] = task_id
                if "correlation_id" not in fields:
                    fields["correlation_id"] = id_text(task_id)
            return _of_some_clock(checked(fields))
        except KeyError as error:
            place = _place(stream, version, topic, position)
            raise LogCorrupt(storable(f"{place}: unknown {error}")) from error
        except (ValueError, TypeError, ValidationError) as error:
            place = _place(stream, version, topic, position)
            raise LogCorrupt(storable(f"{place} cannot be read: {error}")) from error

    def readable(  # noqa: PLR0913, PLR0917 - the columns of a row, in their order
        self,
        recorded_at: datetime,
        stream: UUID,
        version: int,
        topic: str,
        state: bytes,
        task_id: UUID | None = None,
    ) -> Event:
        """The event of these columns; where it cannot be read, one that says so in its place."""
        try:
            return self.event(stream, version, topic, state, task_id)
        except LogCorrupt as error:
            why = storable(str(error.__cause__ or error).splitlines()[0])
            return UnreadableEvent(
                originator_id=stream,
                originator_version=version,
                event_id=stream,
                occurred_at=recorded_at,
                correlation_id=str(task_id),
                task_id=task_id,
                stored_topic=topic,
                why=why if topic in READERS else f"unknown topic {topic!r}",
            )

    def _fields(self, state: bytes) -> dict[str, Any]:
        if self._encoding == ENCODED:
            try:
                state = self._reveal(state)
            except Exception as error:  # compressors and ciphers raise what they please
                raise ValueError(str(error)) from error
        if not begins_with_header(state):
            return _object(state, state)
        head, end = read_header(state)
        if end == len(state) and "template" in head:
            return head
        fields = _object(state[end:], state)
        if not head.keys().isdisjoint(fields) or "causation_id" in fields:
            raise ValueError("its head and its text say the same field")
        fields.update(head)
        return fields

    def _hide(self, state: bytes) -> bytes:
        if self.compressor:
            state = self.compressor.compress(state)
        return self.cipher.encrypt(state) if self.cipher else state

    def _reveal(self, state: bytes) -> bytes:
        if self.cipher:
            state = self.cipher.decrypt(state)
        return self.compressor.decompress(state) if self.compressor else state


def _object(text: bytes, state: bytes) -> dict[str, Any]:
    """The JSON object that the text of a payload is. Raises ValueError or TypeError."""
    loaded = orjson.loads(text)
    if not isinstance(loaded, dict):
        raise TypeError(f"expected an object, got {type(loaded).__name__}")
    fields = cast("dict[str, Any]", loaded)
    if is_nested_too_deeply(state, fields, MOST_STORED):
        raise ValueError(f"it is nested deeper than {MOST_STORED} levels")
    return fields


def _of_some_clock(event: Event) -> Event:
    """The event. Raises ValueError, or TypeError where its time has no zone, as no clock had it."""
    if not FIRST_TIME <= event.occurred_at <= LAST_TIME:
        raise ValueError(f"its time is {event.occurred_at}")
    return event


def id_text(identifier: UUID | None) -> str | None:
    """As `str` writes it, in a third of the time: three events a step are compared with theirs."""
    return None if identifier is None else orjson.dumps(identifier)[1:-1].decode()


def _place(stream: UUID | str, version: int, topic: str, position: int | None) -> str:
    where = f"position {position}, " if position is not None else ""
    return f"the event at {where}version {version} of stream {stream} (topic {topic!r})"
