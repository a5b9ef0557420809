"""A place in the log whose event cannot be read, as histories have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flowledger.engine.events.base import Event, Recorded


class UnreadableEvent(Event):
    """An event that is there and cannot be read; it is never stored, and nothing is folded from it.

    `stored_topic` is what the log calls it and `why` says what is wrong. Its version may be
    any. `event_id` and `occurred_at` are not known: they are the id of the stream and the time of
    recording.
    """

    topic = "unreadable"

    originator_version: int
    task_id: UUID | None
    stored_topic: str
    why: str


def unreadable_at(position: int, event: Any) -> str | None:
    """What is said of the event where it cannot be read."""
    if isinstance(event, UnreadableEvent):
        return f"position {position}: unreadable: {event.why}"
    return None


def unreadable_in(history: Iterable[Recorded]) -> list[str]:
    """What is said of the events that cannot be read."""
    said = (unreadable_at(one.position, one.event) for one in history)
    return [one for one in said if one is not None]
