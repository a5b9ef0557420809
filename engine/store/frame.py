"""The head of a payload: what every event carries and no two share, in binary.

As JSON the id of an event, its time and the id of its cause were half of the log's bytes. In front
of the JSON of all other fields they take 25 or 41: one byte that says which, the id (16), the
microseconds since 1970, UTC, as a signed number (8, big-endian), and the id of the cause (16) where
there is one. A payload without a head is JSON as a whole, and begins with a brace.
`flowledger.payload_of` reads both in SQL, and `flowledger.started_state` writes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIELDS = frozenset({"event_id", "occurred_at", "causation_id"})
UNCAUSED, CAUSED = 1, 2
_UNCAUSED, _CAUSED = Struct(">B16sq"), Struct(">B16sq16s")


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - EPOCH) // MICROSECOND


def head_of(values: Mapping[str, Any]) -> bytes:
    """The head of an event with these fields."""
    event_id: UUID = values["event_id"]
    cause: UUID | None = values["causation_id"]
    time = microseconds(values["occurred_at"])
    if cause is None:
        return _UNCAUSED.pack(UNCAUSED, event_id.bytes, time)
    return _CAUSED.pack(CAUSED, event_id.bytes, time, cause.bytes)


def split(state: bytes) -> tuple[dict[str, Any], bytes]:
    """The fields of the head, and the JSON behind it; none, and all of it, where there is no head.

    Raises ValueError where the head is cut off or says a time that there is not.
    """
    kind = state[0] if state else None
    if kind == CAUSED and len(state) >= _CAUSED.size:
        _, event_id, time, cause = _CAUSED.unpack_from(state)
        known = {**_told(event_id, time), "causation_id": UUID(int=int.from_bytes(cause))}
        return known, state[_CAUSED.size :]
    if kind == UNCAUSED and len(state) >= _UNCAUSED.size:
        _, event_id, time = _UNCAUSED.unpack_from(state)
        return _told(event_id, time), state[_UNCAUSED.size :]
    if kind in {UNCAUSED, CAUSED}:
        raise ValueError(f"its head has {len(state)} bytes only")
    return {}, state


def _told(event_id: bytes, time: int) -> dict[str, Any]:
    try:
        occurred_at = EPOCH + timedelta(microseconds=time)
    except OverflowError as error:
        raise ValueError(f"its time is {time} microseconds from 1970") from error
    return {"event_id": UUID(int=int.from_bytes(event_id)), "occurred_at": occurred_at}
