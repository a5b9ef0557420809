"""How long the caller of a thread, or of a coroutine, waits for what the database has to say.

Who gives a timeout says it here, and whoever waits for the server looks it up: it holds for all
that is asked within the block, in threads that `asyncio.to_thread` asks in too.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic

GRACE_SECONDS = 2.0
"""So long the server may say nothing to what is asked when the caller's time is nearly up."""

_until: ContextVar[float] = ContextVar("until", default=inf)


@contextmanager
def answered_within(seconds: float | None) -> Generator[None]:
    """Within the block, the server may be silent until so many seconds from now (None: as else)."""
    until = inf if seconds is None else monotonic() + seconds
    token = _until.set(min(until, _until.get()))
    try:
        yield
    finally:
        _until.reset(token)


def patience(limit: float) -> float:
    """For how many seconds from now the server may be silent: the limit, or less."""
    return min(limit, max(GRACE_SECONDS, _until.get() - monotonic()))
