"""The words of events, where commands look for them."""

from __future__ import annotations

from flowledger.engine.domain.words import (
    LONGEST,
    PHRASES,
    clipped,
    duration,
    moment,
    on_one_line,
    short,
    stream_of,
    what_happened,
    who,
)

__all__ = [
    "LONGEST",
    "PHRASES",
    "clipped",
    "duration",
    "moment",
    "on_one_line",
    "short",
    "stream_of",
    "what_happened",
    "who",
]
