"""The engine's verbs for applications that live on an event loop.

The engine itself is synchronous with threads; each verb here runs its twin in a thread, and waiting
for a task holds no thread at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from flowledger.engine.api import ALL_ROLES, Engine, Role
from flowledger.engine.config import Settings
from flowledger.engine.domain.states import TASK_ENDS, TaskState
from flowledger.engine.domain.work import WorkflowLike
from flowledger.engine.errors import TaskUnfinished
from flowledger.engine.handle import StepStatus, TaskHandle
from flowledger.engine.ports import Recorded

C = TypeVar("C")


class AsyncTaskHandle:
    """A task, for awaiting. Means and errors are those of TaskHandle."""

    def __init__(self, handle: TaskHandle) -> None:
        self.id = handle.id
        self._handle = handle

    async def state(self) -> TaskState:
        """Where the task stands."""
        return await asyncio.to_thread(lambda: self._handle.state)

    async def wait(self, timeout: float | None = None) -> TaskState:  # noqa: ASYNC109 - as its twin
        """Wait until the task has ended, at most `timeout` seconds."""
        state = await self.state()
        if state in TASK_ENDS:
            return state
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        with self._handle.told(lambda: loop.call_soon_threadsafe(ended.set)):
            try:
                await asyncio.wait_for(ended.wait(), timeout)
            except TimeoutError:
                raise TaskUnfinished(self.id, timeout or 0.0) from None
        return await asyncio.to_thread(self._handle.end)

    async def result(self, timeout: float | None = None) -> Mapping[str, Any]:  # noqa: ASYNC109
        """The result of every step, once the task is complete."""
        await self.wait(timeout)
        return await asyncio.to_thread(self._handle.result, 0)

    async def history(self) -> Sequence[Recorded]:
        """Every event of the task, in the order of the log."""
        return await asyncio.to_thread(self._handle.history)

    async def steps(self) -> Mapping[str, StepStatus]:
        """Every step of the task."""
        return await asyncio.to_thread(self._handle.steps)


class AsyncEngine:
    """`Engine` for `async with`. Means and errors are those of Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    async def open(
        cls,
        *,
        workflows: Iterable[WorkflowLike[Any]] = (),
        roles: Iterable[Role] = ALL_ROLES,
        settings: Settings | None = None,
    ) -> AsyncEngine:
        """Open the engine and start the roles in this process."""
        return cls(
            await asyncio.to_thread(
                Engine.open, workflows=workflows, roles=roles, settings=settings
            )
        )

    async def submit(
        self, workflow: WorkflowLike[C], context: C, **options: Any
    ) -> AsyncTaskHandle:
        """Store a task; the options are those of `Engine.submit`."""
        return AsyncTaskHandle(
            await asyncio.to_thread(lambda: self._engine.submit(workflow, context, **options))
        )

    async def submit_many(
        self, workflow: WorkflowLike[C], contexts: Sequence[C], **options: Any
    ) -> list[AsyncTaskHandle]:
        """Store many tasks in one transaction; the options are those of `Engine.submit_many`."""
        handles = await asyncio.to_thread(
            lambda: self._engine.submit_many(workflow, contexts, **options)
        )
        return [AsyncTaskHandle(handle) for handle in handles]

    def task(self, task_id: UUID | str) -> AsyncTaskHandle:
        """A handle on a task, which need not exist."""
        return AsyncTaskHandle(self._engine.task(task_id))

    async def close(self) -> None:
        """Stop the roles and close every connection."""
        await asyncio.to_thread(self._engine.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
