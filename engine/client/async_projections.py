"""The projections of a database for applications that live on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from math import inf
from time import monotonic
from typing import Unpack
from uuid import UUID

from flowledger.engine.client.projections import Projections
from flowledger.engine.domain.argument_checks import check_seconds
from flowledger.engine.errors import ProjectionBehind
from flowledger.engine.ports.patience import answered_within
from flowledger.engine.ports.projection_admin import (
    ParkedEvent,
    ProjectionStatus,
    Rebuild,
    RebuildStatus,
    SkippedEvent,
    Word,
)


class AsyncProjections:
    """`Projections`, for awaiting; no wait holds a thread. Means and errors are the same."""

    def __init__(self, projections: Projections) -> None:
        self._projections = projections

    async def list(self) -> Sequence[ProjectionStatus]:
        """Every generation that serves or is built, by name."""
        return await asyncio.to_thread(self._projections.list)

    async def status(self, name: object) -> ProjectionStatus:
        """The generation that serves."""
        return await asyncio.to_thread(self._projections.status, name)

    async def wait_for(
        self,
        name: str,
        position: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as without asyncio
    ) -> int:
        """Wait until everything up to a position is in the projection's rows; where it is then."""
        own = self._projections
        check_seconds("timeout", timeout)
        until = inf if timeout is None else monotonic() + timeout
        with answered_within(timeout):
            wanted = await asyncio.to_thread(own.wanted, position)
            while (reached := await asyncio.to_thread(own.reached, name)) < wanted:
                left = until - monotonic()
                if left <= 0:
                    behind = partial(own.behind, name, reached, wanted)
                    error: ProjectionBehind = await asyncio.to_thread(behind)
                    raise error
                await asyncio.sleep(min(left, own.look_seconds))
        return reached

    async def pause(self, name: str, **word: Unpack[Word]) -> None:
        """Let it stand still until it is resumed."""
        await asyncio.to_thread(partial(self._projections.pause, name, **word))

    async def resume(self, name: str, **word: Unpack[Word]) -> None:
        """Let it go on."""
        await asyncio.to_thread(partial(self._projections.resume, name, **word))

    async def rebuild(
        self,
        name: str,
        *,
        task: UUID | None = None,
        template: str | None = None,
        key: str | None = None,
        **word: Unpack[Word],
    ) -> Rebuild:
        """Build it anew: all of it beside what serves, or the rows of some tasks in place."""
        rebuild = partial(self._projections.rebuild, name, key=key, **word)
        return await asyncio.to_thread(rebuild, task=task, template=template)

    async def wait_for_rebuild(
        self,
        rebuild: Rebuild,
        timeout: float | None = None,  # noqa: ASYNC109 - as without asyncio
    ) -> RebuildStatus:
        """Wait for what `rebuild` returned, at most `timeout` seconds."""
        own = self._projections
        check_seconds("timeout", timeout)
        until = inf if timeout is None else monotonic() + timeout
        with answered_within(timeout):
            while True:
                found = await asyncio.to_thread(own.rebuild_state, rebuild)
                left = until - monotonic()
                if found.state != "asked" or left <= 0:
                    return found
                await asyncio.sleep(min(left, own.look_seconds))

    async def cancel_rebuild(self, name: str, **word: Unpack[Word]) -> int:
        """Give up what is being built of it, be it all or some tasks; how many that were."""
        return await asyncio.to_thread(partial(self._projections.cancel_rebuild, name, **word))

    async def remove(self, name: str, **word: Unpack[Word]) -> None:
        """Forget one that nobody runs any more, with its tables and views."""
        await asyncio.to_thread(partial(self._projections.remove, name, **word))

    async def skip(self, name: str, *, position: int, **word: Unpack[Word]) -> SkippedEvent:
        """Have it pass over the event at which it stands, and go on behind it."""
        skip = partial(self._projections.skip, name, **word)
        return await asyncio.to_thread(skip, position=position)

    async def parked(self, name: str) -> Sequence[ParkedEvent]:
        """Its parked events, in the order of the log."""
        return await asyncio.to_thread(self._projections.parked, name)

    async def traceback(self, name: str, *, generation: int, position: int) -> str | None:
        """Where a generation raised on the event at which it stands, or which it put aside."""
        ask = partial(self._projections.traceback, name)
        return await asyncio.to_thread(ask, generation=generation, position=position)

    async def retry_parked(
        self,
        name: str,
        *,
        task: UUID | None = None,
        position: int | None = None,
        **word: Unpack[Word],
    ) -> int:
        """Have parked events applied: all, those of a task, or one. How many are to be."""
        ask = partial(self._projections.retry_parked, name, **word)
        return await asyncio.to_thread(ask, task=task, position=position)

    async def drop_parked(
        self,
        name: str,
        *,
        task: UUID | None = None,
        position: int | None = None,
        **word: Unpack[Word],
    ) -> int:
        """Have parked events forgotten: all, those of a task, or one. How many are to be."""
        ask = partial(self._projections.drop_parked, name, **word)
        return await asyncio.to_thread(ask, task=task, position=position)
