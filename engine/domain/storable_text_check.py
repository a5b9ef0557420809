"""Checks that Postgres can store a text: no null character, and no half of a surrogate pair.

Such a text is refused where it enters. Later the database would refuse it, together with everything
else in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flowledger.engine.display_text import place

Location = tuple[int | str, ...]


def is_storable(text: str) -> bool:
    """Whether Postgres can store it, as text and within JSON."""
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)


def storable(text: str) -> str:
    """The text as the log can hold it: valid UTF-8 without null characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def text_fault(text: str) -> str | None:
    """What is wrong with the text; the sentence itself can be stored."""
    return (
        None if is_storable(text) else f"should be text that Postgres can store, got {text[:40]!a}"
    )


def unstorable(value: object, root: str) -> str | None:
    """The first text in a value, be it a key, that cannot be stored: its place, and what it is."""
    stack: list[tuple[Location, object]] = [((), value)]
    while stack:
        location, item = stack.pop()
        if isinstance(item, str):
            fault = text_fault(item)
            if fault is not None:
                return f"{place(location, root)}: {fault}"
        elif isinstance(item, Mapping):
            for key, part in cast("Mapping[object, object]", item).items():
                stack.append(((*location, ascii(key)), key))
                stack.append(((*location, str(key)), part))
        elif isinstance(item, list | tuple):
            parts = cast("list[object]", item)
            stack.extend(((*location, number), part) for number, part in enumerate(parts))
    return None
