"""Deterministic identifiers: of steps from their task, of events from their cause.

A task's id is a UUIDv7. Its steps' ids are UUIDv8: the same 48 bits of time and the 12 bits after
them, then the task's random bits xor a hash of the step's name. Two tasks never share a step id,
and the rows of one task are next to each other in every index over ids (RFC 9562 leaves these bits
to us).

A decision's event id is a UUIDv7 of the time of the decision. Its other bits are a hash of its
cause and its number among the decisions about it. Nothing is random, so that a batch that is
decided again after a crash gets the same ids.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID, SafeUUID

LOW_62 = (1 << 62) - 1
HIGH_60 = ((1 << 128) - 1) ^ ((1 << 80) - 1) | (0xFFF << 64)
VARIANT = 0b10 << 62
VERSION_7 = 7 << 76
VERSION_8 = 8 << 76
# Looked up once: three events a step have three ids each.
UNKNOWN = SafeUUID.unknown
SET_INT, SET_SAFE = (vars(UUID)[slot].__set__ for slot in ("int", "is_safe"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@lru_cache(maxsize=65_536)
def name_bits(name: str) -> int:
    """62 bits that stand for a step's name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) & LOW_62


def uuid_of(number: int) -> UUID:
    """`UUID(int=number)` in a third of the time; the number is known to be one of 128 bits."""
    made = object.__new__(UUID)
    SET_INT(made, number)
    SET_SAFE(made, UNKNOWN)
    return made


def step_id(task_id: UUID, name: str) -> UUID:
    """The id of a task's step: the id of its stream, its queue row and its idempotency key."""
    task = task_id.int
    return uuid_of((task & HIGH_60) | VERSION_8 | VARIANT | ((task & LOW_62) ^ name_bits(name)))


def request_id(task_id: UUID, key: str) -> UUID:
    """The id of the stream of what somebody asked of a task: one for each key, beside its steps."""
    digest = blake2b(key.encode(), digest_size=8, person=b"request").digest()
    low = (task_id.int ^ int.from_bytes(digest)) & LOW_62
    return UUID(int=(task_id.int & HIGH_60) | VERSION_8 | VARIANT | low)


def action_id(topic: str, target: str, key: str) -> UUID:
    """The id of the stream of what somebody did to the engine with a key of theirs."""
    seed = "\0".join((topic, target, key)).encode()
    number = int.from_bytes(blake2b(seed, digest_size=16, person=b"action").digest())
    fixed = 0xF << 76 | 0b11 << 62
    return UUID(int=number & ~fixed | VERSION_8 | VARIANT)


def idempotency_key(step: UUID, resets: int) -> str:
    """What outside systems know an effect by: one for all attempts, new after a reset."""
    return f"{step}-{resets}" if resets else str(step)


def uuid7(milliseconds: int, random: int) -> UUID:
    """A UUIDv7 of that time (since 1970, UTC) and 74 random bits."""
    high = (milliseconds & ((1 << 48) - 1)) << 80 | VERSION_7 | ((random >> 62) & 0xFFF) << 64
    return uuid_of(high | VARIANT | (random & LOW_62))


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, UTC."""
    return (moment - EPOCH) // MILLISECOND


def caused_id(cause: UUID, stream: UUID, version: int, time: int) -> UUID:
    """The id of the event at that version of a stream, led to by that cause: always the same.

    `time` is in milliseconds since 1970, UTC.
    """
    # The bytes of both ids and eight of the version, put together in one go.
    seed = (cause.int << 192 | stream.int << 64 | version).to_bytes(40)
    return uuid7(time, int.from_bytes(blake2b(seed, digest_size=10).digest()) >> 6)


def chance(cause: UUID) -> float:
    """A number in [0, 1) that belongs to the cause, so that jitter is the same in every replay."""
    digest = blake2b(cause.bytes, digest_size=8, person=b"jitter").digest()
    return (int.from_bytes(digest) >> 11) / (1 << 53)
