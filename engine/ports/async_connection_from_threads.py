"""A connection of an application on an event loop, for the engine's threads."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OnLoop:
    """A connection that is awaited on its loop, while a thread waits for what comes of it."""

    connection: object
    loop: asyncio.AbstractEventLoop

    def run(self, work: Callable[[object], Coroutine[Any, Any, T]]) -> T:
        """Run it on the loop, from another thread than the loop's."""
        return asyncio.run_coroutine_threadsafe(work(self.connection), self.loop).result()


def on_loop(connection: object) -> object:
    """The connection, for a thread: as it is, unless it is one to be awaited on this loop."""
    if inspect.iscoroutinefunction(getattr(connection, "commit", None)):
        return OnLoop(connection, asyncio.get_running_loop())
    return connection
