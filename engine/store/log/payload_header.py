"""The binary header of a payload: what every event has, and what nearly every event of a task has.

As JSON the event's id, its time and the id of its cause were half of the log's bytes, and the names
of template and step were half of the rest. The header holds them in the order below, and JSON of
the other fields follows, or nothing where there are none:

- a byte that says which: 1 and 2 have no names, 3 and 4 have names, 5 and 6 a worker and names; the
  even ones have a cause;
- the event's id (16 bytes);
- when it happened, microseconds since 1970, UTC, as a signed number (8, big-endian);
- the id of the cause (16), then the id of the worker (16), where there is one;
- how many bytes the names have (1), and the names: `namespace/template` of a task's event,
  `namespace/template/step` of a step's;
- of a step's event the attempt (2, big-endian).

Names that do not fit in there are in the JSON, as everything is in a payload without a header.
`flowledger.payload_json` reads all of this in SQL, and `flowledger.step_started_payload` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import EPOCH, uuid_of

MICROSECOND = timedelta(microseconds=1)
FIELDS = frozenset({"event_id", "occurred_at", "causation_id"})
NAMES = ("namespace", "template", "step")
NAMED = frozenset({*NAMES, "attempt", "worker"})
"""What is in the header of an event that has names."""

CAUSED, PLAIN_KINDS, WORKER_KINDS = 2, 2, 5
_UNCAUSED, _CAUSED, _ATTEMPT = Struct(">B16sq"), Struct(">B16sq16s"), Struct(">H")
LENGTHS = {
    kind: (_UNCAUSED.size if kind % 2 else _CAUSED.size) + (16 if kind >= WORKER_KINDS else 0)
    for kind in range(1, 7)
}
"""Bytes of each kind of header before its names."""

MOST_BYTES, MOST_ATTEMPTS = 255, 2**15 - 1


def microseconds(when: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (when - EPOCH) // MICROSECOND


def header_of(values: Mapping[str, Any], names: bytes | None = None) -> bytes:
    """The header of an event with these fields, and with its names where they are given."""
    event_id: UUID = values["event_id"]
    cause: UUID | None = values["causation_id"]
    time = microseconds(values["occurred_at"])
    worker: UUID | None = None if names is None else values.get("worker")
    kind = (1 if names is None else 3 if worker is None else 5) + (cause is not None)
    if cause is None:
        head = _UNCAUSED.pack(kind, event_id.bytes, time)
    else:
        head = _CAUSED.pack(kind, event_id.bytes, time, cause.bytes)
    if names is None:
        return head
    return head + names if worker is None else head + worker.bytes + names


def names_of(values: Mapping[str, Any]) -> bytes | None:
    """The names and the attempt of an event with these fields; None where they do not fit."""
    namespace = values.get("namespace")
    template = values.get("template")
    if namespace is None or template is None:
        return None
    attempt = values.get("attempt")
    step = values.get("step")
    if step is None or attempt is None:
        return _packed(namespace, template) if step is attempt else None
    packed = _packed(namespace, template, step)
    if packed is None or not 0 <= attempt <= MOST_ATTEMPTS:
        return None
    return packed + _ATTEMPT.pack(attempt)


@lru_cache(4096)
def _packed(*names: str) -> bytes | None:
    joined = "/".join(names)
    try:
        packed = joined.encode()
    except UnicodeEncodeError:
        return None
    if len(packed) > MOST_BYTES or joined.count("/") >= len(names) or "\0" in joined:
        return None
    return bytes((len(packed),)) + packed


def begins_with_header(state: bytes) -> bool:
    """Whether it does. Raises ValueError where the header is cut off."""
    length = LENGTHS.get(state[0], 0) if state else 0
    if len(state) < length:
        raise ValueError(f"its head has {len(state)} bytes of {length}")
    return length > 0


def read_header(state: bytes) -> tuple[dict[str, Any], int]:
    """The fields of the header, and where it ends. Raises ValueError where it is none."""
    kind = state[0]
    fields: dict[str, Any] = {}
    if kind % 2:
        _, event_id, time = _UNCAUSED.unpack_from(state)
    else:
        _, event_id, time, cause = _CAUSED.unpack_from(state)
        fields["causation_id"] = uuid_of(int.from_bytes(cause))
    fields["event_id"] = uuid_of(int.from_bytes(event_id))
    try:
        fields["occurred_at"] = EPOCH + timedelta(0, 0, time)
    except OverflowError as error:
        raise ValueError(f"its time is {time} microseconds from 1970") from error
    end = LENGTHS[kind]
    if kind >= WORKER_KINDS:
        fields["worker"] = uuid_of(int.from_bytes(state[end - 16 : end]))
    return (fields, end) if kind <= PLAIN_KINDS else (fields, _read_names(state, end, fields))


def _read_names(state: bytes, begin: int, fields: dict[str, Any]) -> int:
    """Add the names that begin there; where they end."""
    end = begin + 1 + state[begin] if begin < len(state) else begin + 1
    names = _unpacked(state[begin + 1 : end])
    fields.update(names)
    if len(names) == len(NAMES):
        end += _ATTEMPT.size
    if len(state) < end:
        raise ValueError(f"its head has {len(state)} bytes of {end}")
    if len(names) == len(NAMES):
        (fields["attempt"],) = _ATTEMPT.unpack_from(state, end - _ATTEMPT.size)
    return end


@lru_cache(4096)
def _unpacked(packed: bytes) -> tuple[tuple[str, str], ...]:
    names = packed.decode().split("/")
    if not 2 <= len(names) <= len(NAMES):
        raise ValueError(f"its head has {len(names)} names")
    return tuple(zip(NAMES, names, strict=False))
