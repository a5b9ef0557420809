"""Verification for applications that live on an event loop: each look has a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from flowledger.engine.client.verification import Verification
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference

T = TypeVar("T")


async def apart(work: Callable[[], T]) -> T:
    """Run what may take long in a thread of its own."""
    with closing_soon() as threads:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


@contextmanager
def closing_soon() -> Generator[ThreadPoolExecutor]:
    """A thread that ends with what it does, and is not waited for."""
    threads = ThreadPoolExecutor(1, "flowledger-apart")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False)


class AsyncVerification:
    """A run of all checks, for `async for`. Means and errors are those of Verification."""

    def __init__(self, run: Verification) -> None:
        self._run = run

    @property
    def tasks(self) -> int:
        """How many tasks were looked at so far."""
        return self._run.tasks

    @property
    def events(self) -> int:
        """How many events were looked at so far."""
        return self._run.events

    @property
    def found(self) -> int:
        """How many differences there are so far."""
        return self._run.found

    @property
    def not_compared(self) -> Mapping[str, str]:
        """The projections that could not be compared, by name, and why."""
        return self._run.not_compared

    async def __aiter__(self) -> AsyncIterator[Difference]:
        differences = iter(self._run)
        while (found := await apart(partial(next, differences, None))) is not None:
            yield found
