"""The engine's verbs for applications that live on an event loop.

The engine itself is synchronous with threads; each verb here runs its twin in a thread of the
loop's pool, for as long as the database takes to answer. Waiting, for a task, an answer or a
projection, holds no thread, and what may take long (opening, closing, verifying) has one of its
own: so nobody waits for a thread behind those who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

from flowledger.engine.client.async_handles import AsyncTaskHandle, all_asked
from flowledger.engine.client.async_projections import AsyncProjections
from flowledger.engine.client.async_verification import AsyncVerification, apart
from flowledger.engine.client.engine import ALL_ROLES, Engine, Role
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.client.repair_rows_from_log import Repair
from flowledger.engine.client.stored_request import Request
from flowledger.engine.client.submission_to_event import SubmitManyOptions, SubmitOptions
from flowledger.engine.client.task_list import TaskFilter, TaskPage
from flowledger.engine.config import Settings
from flowledger.engine.domain.explain.reasons import Explanation
from flowledger.engine.domain.failures.classification import Classifier, classify
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.health_rows_and_report import HealthReport
from flowledger.engine.ports.async_connection_from_threads import on_loop
from flowledger.engine.telemetry.outages import Health

C = TypeVar("C")
T = TypeVar("T")


class AsyncEngine:
    """`Engine` for `async with`. Means and errors are those of Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.settings = engine.settings
        self.projections = AsyncProjections(engine.projections)

    @classmethod
    async def open(  # noqa: PLR0913 - what an engine is made of
        cls,
        *,
        workflows: Iterable[WorkflowLike[Any]] = (),
        projections: Iterable[object] = (),
        roles: Iterable[Role] = ALL_ROLES,
        settings: Settings | None = None,
        classifier: Classifier = classify,
        dev: bool = False,
    ) -> AsyncEngine:
        """Open the engine and start the roles in this process, as `Engine.open` does."""
        opening = partial(
            Engine.open,
            workflows=workflows,
            projections=projections,
            roles=roles,
            settings=settings,
            classifier=classifier,
            dev=dev,
        )
        return cls(await apart(opening))

    @property
    def health(self) -> Mapping[str, Health]:
        """As `Engine.health`; asks nobody, and so need not be awaited."""
        return self._engine.health

    @property
    def running_steps(self) -> int:
        """As `Engine.running_steps`; asks nobody, and so need not be awaited."""
        return self._engine.running_steps

    async def health_report(self, patience: float = 60.0) -> HealthReport:
        """What needs somebody: of the whole engine, and of this process."""
        return await asyncio.to_thread(self._engine.health_report, patience)

    async def submit(
        self, workflow: WorkflowLike[C], context: C, **options: Unpack[SubmitOptions]
    ) -> AsyncTaskHandle:
        """Store a task; a coordinator takes it on.

        `connection` may be one of psycopg's or SQLAlchemy's that is awaited on this loop.
        """
        options["connection"] = on_loop(options.get("connection"))
        return AsyncTaskHandle(
            await asyncio.to_thread(lambda: self._engine.submit(workflow, context, **options))
        )

    async def submit_many(
        self,
        workflow: WorkflowLike[C],
        contexts: Sequence[C],
        **options: Unpack[SubmitManyOptions],
    ) -> list[AsyncTaskHandle]:
        """Store many tasks of one workflow in one transaction: all of them or none."""
        options["connection"] = on_loop(options.get("connection"))
        handles = await asyncio.to_thread(
            lambda: self._engine.submit_many(workflow, contexts, **options)
        )
        return [AsyncTaskHandle(handle) for handle in handles]

    async def register(self, workflow: WorkflowLike[Any]) -> None:
        """Record the workflow's definition, once."""
        await asyncio.to_thread(self._engine.register, workflow)

    def on_worker_stuck(self, tell: Callable[[], None]) -> None:
        """Call `tell`, in the worker's thread and perhaps more than once, when it is stuck."""
        self._engine.on_worker_stuck(tell)

    def task(self, task_id: UUID | str) -> AsyncTaskHandle:
        """A handle on a task, which need not exist."""
        return AsyncTaskHandle(self._engine.task(task_id))

    async def tasks(
        self, *, limit: int = 100, after: str | None = None, **filters: Unpack[TaskFilter]
    ) -> TaskPage:
        """At most `limit` tasks, the newest first, that are all of what `TaskFilter` says."""
        ask = partial(self._engine.tasks, limit=limit, after=after, **filters)
        return await asyncio.to_thread(ask)

    async def explain(
        self, task_id: UUID | str, step: str | None = None, at: datetime | int | None = None
    ) -> Explanation:
        """Why a task has not ended, or why a step of it does not run."""
        return await asyncio.to_thread(self._engine.explain, task_id, step, at)

    def verify(self, task: UUID | str | None = None) -> AsyncVerification:
        """Hold all that was made from the log against it: of one task, or of everything.

        Iterate over it with `async for`: it yields differences as it finds them.
        """
        return AsyncVerification(self._engine.verify(task))

    async def repair(
        self, task: UUID | str | None = None, *, dry_run: bool = False, actor: str, reason: str
    ) -> Repair:
        """Make rows again from the log, wherever `verify` finds a difference."""
        return await asyncio.to_thread(
            self._engine.repair, task, dry_run=dry_run, actor=actor, reason=reason
        )

    async def cancel_many(
        self, tasks: Iterable[UUID | str], **asking: Unpack[RequestOptions]
    ) -> list[Request]:
        """Ask of all these tasks that they end."""
        ask = partial(self._engine.cancel_many, [*tasks])
        seconds = self._engine.settings.submit.request_timeout_seconds
        return await all_asked(ask, self._engine.task, asking, seconds)

    async def reset_many(
        self, tasks: Iterable[UUID | str], **asking: Unpack[RequestOptions]
    ) -> list[Request]:
        """Ask of all these tasks that what failed is tried anew."""
        ask = partial(self._engine.reset_many, [*tasks])
        seconds = self._engine.settings.submit.request_timeout_seconds
        return await all_asked(ask, self._engine.task, asking, seconds)

    async def pause_template(self, key: str, *, reason: str, actor: str) -> bool:
        """Queue no step of any task of the template until it is resumed."""
        return await asyncio.to_thread(self._engine.pause_template, key, reason=reason, actor=actor)

    async def resume_template(self, key: str, *, reason: str, actor: str) -> bool:
        """Let the tasks of a paused template go on."""
        return await asyncio.to_thread(
            self._engine.resume_template, key, reason=reason, actor=actor
        )

    async def close(self) -> None:
        """Stop the roles and close every connection."""
        await apart(self._engine.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
