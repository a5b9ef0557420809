"""Checks what is submitted with a context, and derives the identity that makes a submission unique.

Events and rows of many tasks are stored together, so a value that a row cannot hold must be refused
here: later it would hold up every task, not only its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from flowledger.engine.display_text import is_seen, short
from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.domain.storable_text_check import text_fault
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.domain.templates.validation_message import plain_text, shown
from flowledger.engine.errors import (
    EngineError,
    InvalidRequest,
    InvalidSubmission,
    MissingIdempotencyKey,
)

LOWEST_PRIORITY, HIGHEST_PRIORITY = -(2**31), 2**31 - 1
"""What Postgres's integer holds."""

LAST_POSITION = 2**63 - 1
"""The log can have no later place: what Postgres's bigint holds."""

MOST_BYTES = 1_000
"""In UTF-8: these texts stand in many rows and log lines, and in indexes.

A row of an index holds some 2,700 bytes; one that is larger would stop a read model for everybody.
"""

MOST_REASON_BYTES = 4_000
"""In UTF-8: people's reasons may be longer, as no index has them."""

TIMES = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
"""Within these a time can be written in every time zone, and a deadline be counted from a start."""

DUPLICATES = ("return", "raise")

BEYOND_INTEGERS = 2.0**64


def check_submission(
    template: str, priority: object, on_duplicate: object, texts: Mapping[str, object]
) -> None:
    """Refuse what cannot be stored; `texts` are named by their parameters, None is none given.

    Raises InvalidSubmission, which names the template and the parameter.
    """
    if not _is_whole(priority, LOWEST_PRIORITY, HIGHEST_PRIORITY):
        raise InvalidSubmission(
            f"{template}: priority should be a whole number from {LOWEST_PRIORITY} to"
            f" {HIGHEST_PRIORITY}, got {shown(priority)}"
        )
    if plain_text(on_duplicate) not in DUPLICATES:
        raise InvalidSubmission(
            f"{template}: on_duplicate should be {' or '.join(DUPLICATES)},"
            f" got {shown(on_duplicate)}"
        )
    for name, text in texts.items():
        fault = _fault(text)
        if fault:
            raise InvalidSubmission(f"{template}: {name} {fault}")


def check_times(
    template: str, start_at: object, deadline_at: object
) -> tuple[datetime | None, datetime | None]:
    """Both times in UTC. A deadline is behind the start, and both are within `TIMES`.

    Raises InvalidSubmission, which names the template and the parameter.
    """
    start, deadline = (
        time_in_utc(f"{template}: {name}", moment, InvalidSubmission)
        for name, moment in (("start_at", start_at), ("deadline_at", deadline_at))
    )
    if start is not None and deadline is not None and deadline <= start:
        raise InvalidSubmission(
            f"{template}: deadline_at {deadline_at} should be later than start_at {start_at}"
        )
    return start, deadline


def check_moment(name: str, moment: object) -> datetime | int:
    """A time, in UTC, or a position of the log. Raises InvalidRequest."""
    if isinstance(moment, int) and not isinstance(moment, bool):
        check_whole(name, moment, -LAST_POSITION)
        return moment
    found = time_in_utc(name, moment, InvalidRequest)
    if found is None:
        raise InvalidRequest(f"{name} should be a time or a position, got nothing")
    return found


def task_id_of(given: object, refusal: type[EngineError] = InvalidRequest) -> UUID:
    """The id of a task, given as one or as text. Raises the refusal."""
    try:
        return given if isinstance(given, UUID) else UUID(str(given))
    except Exception:  # noqa: BLE001 - an object of the user's own raises what it pleases
        said = f"{short(plain_text(given))!r} is not the id of a task, which is a UUID"
        raise refusal(said) from None


def time_in_utc(place: str, moment: object, refusal: type[EngineError]) -> datetime | None:
    """The time in UTC; None is none given. Raises the refusal, which names the place."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise refusal(f"{place} should be a datetime with a time zone, got {shown(moment)}")
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not TIMES[0] <= found <= TIMES[1]:
        raise refusal(
            f"{place} should be between {TIMES[0].date()} and {TIMES[1].date()}, got {moment}"
        )
    return found


def plain_time(moment: datetime | None) -> datetime | None:
    """The time as Python's own datetime: other libraries' cannot be stored."""
    if moment is None or type(moment) is datetime:
        return moment
    return datetime.combine(moment.date(), moment.timetz())


def check_request(subject: str, texts: Mapping[str, object], key: object) -> None:
    """Refuse a request that cannot be stored, or that does not say who asks and why.

    `texts` must all be given. Raises InvalidRequest, which names the subject and the parameter.
    """
    for name, text in (*texts.items(), ("key", key)):
        fault = _fault(text, MOST_REASON_BYTES if name == "reason" else MOST_BYTES)
        if name != "key" and text is None:
            fault = "must be given, and say something"
        if fault:
            raise InvalidRequest(f"{subject}: {name} {fault}")


def check_seconds(name: str, seconds: object) -> None:
    """Refuse a time to wait that no clock can count; None is none given. Raises InvalidRequest."""
    if seconds is None:
        return
    number = _plain_number(seconds)
    if number is None or not 0 <= number <= LONGEST_SECONDS:
        raise InvalidRequest(
            f"{name} should be seconds from 0 to {LONGEST_SECONDS:.0f}, got {shown(seconds)}"
            f" ({type(seconds).__name__})"
        )


def check_position(position: object) -> None:
    """Refuse what is no place in the log. Raises InvalidRequest."""
    check_whole("position", position)


def check_whole(name: str, value: object, lowest: int = 1, highest: int = LAST_POSITION) -> None:
    """Refuse what is no whole number, or is none of these. Raises InvalidRequest."""
    if not _is_whole(value, lowest, highest):
        raise InvalidRequest(
            f"{name} should be a whole number from {lowest} to {highest}, got {shown(value)}"
            f" ({type(value).__name__})"
        )


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False: a text is true whatever it says.

    Raises InvalidRequest.
    """
    if not isinstance(value, bool):
        raise InvalidRequest(
            f"{name} should be True or False, got {shown(value)} ({type(value).__name__})"
        )


def check_call(name: str, value: object) -> None:
    """Refuse what cannot be called without arguments. Raises InvalidRequest."""
    if not callable(value):
        raise InvalidRequest(
            f"{name} should be a function without parameters, got {shown(value)}"
            f" ({type(value).__name__})"
        )


def check_tags(subject: str, tags: object, refusal: type[EngineError]) -> tuple[str, ...]:
    """The tags, each once. Raises the refusal, which names the subject, for what are no tags."""
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise refusal(f"{subject}: tags should be a list of strings, got {shown(tags)}")
    found: dict[str, None] = {}
    for tag in cast("Iterable[object]", tags):
        fault = _fault(tag)
        if fault or tag is None:
            raise refusal(f"{subject}: a tag {fault or 'should be a string, got None'}")
        found[plain_text(tag)] = None
    return tuple(found)


def _is_whole(value: object, lowest: int, highest: int) -> bool:
    # By comparison: a range that is asked for a subclass of int counts through it.
    number = None if isinstance(value, bool) else _plain_number(value)
    return isinstance(number, int) and lowest <= number <= highest


def _plain_number(value: object) -> int | float | None:
    """The number, without what a class of the user's own makes of comparisons; None for others."""
    if isinstance(value, int):
        return int.__index__(value)
    return float.__float__(value) if isinstance(value, float) else None


def _fault(text: object, most: int = MOST_BYTES) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        return f"should be a string, got {type(text).__name__}"
    fault = text_fault(text)
    if fault is not None:
        return fault
    size = len(text.encode())
    if not 0 < size <= most:
        return f"should have 1 to {most} bytes in UTF-8, got {size}"
    return None if is_seen(text) else f"must say something visible, got {text[:40]!a}"


def identity_of(template: Template, context: Any, idempotency_key: str | None) -> str | None:
    """The task's identity by its template's strategy; None where every submission is a task.

    `strict` is the SHA-256 of the template's namespace, name and version and of the context in
    one spelling: sorted keys, no blanks, equal numbers alike (1 and 1.0, 0.0 and -0.0). A key
    that the caller gives goes before the strategy.
    Raises MissingIdempotencyKey where the strategy asks for one.
    """
    if idempotency_key is not None:
        return _digest("key", template.namespace, template.name, idempotency_key)
    if template.identity == "caller_provided":
        raise MissingIdempotencyKey(template.key)
    if template.identity == "strict":
        return _digest(
            "strict", template.namespace, template.name, template.version, _in_one_spelling(context)
        )
    return None


def _in_one_spelling(value: Any) -> Any:
    """Whole floats as the integers that they equal; beyond 64 bits there are no integers."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < BEYOND_INTEGERS else value
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        return {key: _in_one_spelling(part) for key, part in parts.items()}
    if isinstance(value, list):
        return [_in_one_spelling(part) for part in cast("Iterable[Any]", value)]
    return value


def _digest(kind: str, *parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{kind}:sha256:{sha256(text.encode()).hexdigest()}"
