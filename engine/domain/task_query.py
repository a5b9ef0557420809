"""Which tasks are asked for: filters, made sure of, and the place where a page of them begins."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, cast
from uuid import UUID

from flowledger.engine.display_text import nearest
from flowledger.engine.domain.argument_checks import check_request, check_tags, time_in_utc
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import InvalidRequest

MOST_TASKS = 10_000
"""So many tasks a page has at most."""

MOST_TAGS = 100
"""Of which a task must have all: each is looked up by itself."""

TEXTS = ("namespace", "template", "version", "correlation_id")
CHECK_BYTES = 5


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Tasks that are all of what is given; None is any. Times are in UTC, `created_after` is in."""

    namespace: str | None = None
    template: str | None = None
    version: str | None = None
    states: tuple[TaskState, ...] | None = None
    paused: bool | None = None
    parked: bool | None = None
    tags: tuple[str, ...] = ()
    correlation_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def cursor_to(task_id: UUID) -> str:
    """The place behind a task, as callers are given it: its letters tell when one is wrong."""
    place = task_id.bytes
    return urlsafe_b64encode(_check_sum(place) + place).decode()


def place_of(cursor: object) -> UUID | None:
    """The task that a page ended with, by what it named; None: none did. Raises InvalidRequest."""
    if cursor is None:
        return None
    try:
        decoded = urlsafe_b64decode(cursor.encode("ascii")) if isinstance(cursor, str) else b""
        check, place = decoded[:CHECK_BYTES], decoded[CHECK_BYTES:]
        if _check_sum(place) == check:
            return UUID(bytes=place)
    except ValueError:
        pass
    raise InvalidRequest(
        f"tasks: after should be what a page of tasks has named as its next, got {shown(cursor)}"
    )


def limit_of(given: object) -> int:
    """How many tasks a page has. Raises InvalidRequest."""
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_TASKS:
        raise InvalidRequest(
            f"tasks: limit should be a whole number from 1 to {MOST_TASKS}, got {shown(given)}"
        )
    return int(given)


def query_of(given: Mapping[str, Any]) -> TaskQuery:
    """The filters that are given, made sure of. Raises InvalidRequest, which names the filter."""
    texts = {name: given[name] for name in TEXTS if given.get(name) is not None}
    check_request("tasks", texts, None)
    for part, whole in (("template", "namespace"), ("version", "template")):
        if part in texts and whole not in texts:
            raise InvalidRequest(f"tasks: {part} is of a {whole}, which should be given too")
    after, before = (
        time_in_utc(f"tasks: {name}", given.get(name), InvalidRequest)
        for name in ("created_after", "created_before")
    )
    if after is not None and before is not None and before <= after:
        raise InvalidRequest(
            f"tasks: created_before {before} should be later than created_after {after}"
        )
    return TaskQuery(
        **texts,
        states=_states(given.get("states")),
        paused=_flag("paused", given.get("paused")),
        parked=_flag("parked", given.get("parked")),
        tags=_tags(given.get("tags")),
        created_after=after,
        created_before=before,
    )


def _states(given: object) -> tuple[TaskState, ...] | None:
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidRequest(f"tasks: states should be a list of states, got {shown(given)}")
    states = [*cast("Iterable[object]", given)]
    if not states:
        raise InvalidRequest("tasks: states should name one state at least")
    return tuple(dict.fromkeys(map(_state, states)))


def _state(given: object) -> TaskState:
    known = [state.value for state in TaskState]
    if isinstance(given, str) and given in known:
        return TaskState(given)
    hint = nearest(given, known) if isinstance(given, str) else ""
    expected = hint or f": expected {', '.join(known)}"
    raise InvalidRequest(f"tasks: {shown(given)} is no state of a task{expected}")


def _tags(given: object) -> tuple[str, ...]:
    tags = () if given is None else check_tags("tasks", given, InvalidRequest)
    if len(tags) > MOST_TAGS:
        raise InvalidRequest(f"tasks: tags should be {MOST_TAGS} at most, got {len(tags)}")
    return tags


def _flag(name: str, given: object) -> bool | None:
    if given is None or isinstance(given, bool):
        return given
    raise InvalidRequest(f"tasks: {name} should be True, False or None, got {shown(given)}")


def _check_sum(place: bytes) -> bytes:
    return blake2b(place, digest_size=CHECK_BYTES).digest()
