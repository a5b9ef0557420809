"""The head of a payload: what every event carries and no two share, in binary.

As JSON the id of an event, its time and the id of its cause were half of the log's bytes. In front
of the JSON of all other fields they take 25 or 41: one byte that says which, the id (16), the
microseconds since 1970, UTC, as a signed number (8, big-endian), and the id of the cause (16) where
there is one. A payload without a head is JSON as a whole, and begins with a brace.
`flowledger.payload_of` reads both in SQL, and `flowledger.started_state` writes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from struct import Struct
from typing import Any
from uuid import UUID

from flowledger.engine.domain.ids import EPOCH, uuid_of

MICROSECOND = timedelta(microseconds=1)
FIELDS = frozenset({"event_id", "occurred_at", "causation_id"})
UNCAUSED, CAUSED = 1, 2
_UNCAUSED, _CAUSED = Struct(">B16sq"), Struct(">B16sq16s")
LENGTHS = {UNCAUSED: _UNCAUSED.size, CAUSED: _CAUSED.size}


def microseconds(when: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (when - EPOCH) // MICROSECOND


def moment(microseconds: int | None) -> datetime | None:
    """The time that is so many microseconds after 1970, UTC."""
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)


def head_of(values: Mapping[str, Any]) -> bytes:
    """The head of an event with these fields."""
    event_id: UUID = values["event_id"]
    cause: UUID | None = values["causation_id"]
    time = microseconds(values["occurred_at"])
    if cause is None:
        return _UNCAUSED.pack(UNCAUSED, event_id.bytes, time)
    return _CAUSED.pack(CAUSED, event_id.bytes, time, cause.bytes)


def length_of(state: bytes) -> int:
    """How many bytes the head has; 0 where there is none. Raises ValueError where it is cut off."""
    length = LENGTHS.get(state[0], 0) if state else 0
    if len(state) < length:
        raise ValueError(f"its head has {len(state)} bytes of {length}")
    return length


def read(state: bytes, fields: dict[str, Any]) -> None:
    """Add the fields of the head. Raises ValueError where its time is none that there is."""
    if state[0] == CAUSED:
        _, event_id, time, cause = _CAUSED.unpack_from(state)
        fields["causation_id"] = uuid_of(int.from_bytes(cause))
    else:
        _, event_id, time = _UNCAUSED.unpack_from(state)
    fields["event_id"] = uuid_of(int.from_bytes(event_id))
    try:
        fields["occurred_at"] = EPOCH + timedelta(0, 0, time)
    except OverflowError as error:
        raise ValueError(f"its time is {time} microseconds from 1970") from error
