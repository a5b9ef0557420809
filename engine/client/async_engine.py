"""The engine's verbs for applications that live on an event loop.

The engine itself is synchronous with threads; each verb here runs its twin in a thread of the
loop's pool, for as long as the database takes to answer. Waiting, for a task, an answer or a
projection, holds no thread, and what may take long (opening, closing, verifying) has one of its
own: so nobody waits for a thread behind those who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from functools import partial
from math import inf
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

from flowledger.engine.client.engine import ALL_ROLES, Engine, Role
from flowledger.engine.client.requests import NoteOptions, Request, RequestOptions
from flowledger.engine.client.task import StepHandle, StepStatus, TaskHandle
from flowledger.engine.client.verify import Verification
from flowledger.engine.config import Settings
from flowledger.engine.domain.explain.reasons import Explanation
from flowledger.engine.domain.failures.classification import Classifier, classify
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.machine.transitions import TASK_ENDS, TaskState
from flowledger.engine.domain.verify.replay import Difference
from flowledger.engine.errors import RequestDenied, TaskNotCreated, TaskUnfinished
from flowledger.engine.events.base import Recorded
from flowledger.engine.ports.awaited_connection import on_loop
from flowledger.engine.telemetry.outages import Health

C = TypeVar("C")
T = TypeVar("T")


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
        with self._handle.on_end(lambda: loop.call_soon_threadsafe(ended.set)):
            try:
                await asyncio.wait_for(ended.wait(), timeout)
            except TimeoutError:
                raise TaskUnfinished(self.id, timeout or 0.0) from None
        return await asyncio.to_thread(self._handle.end_state)

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

    async def explain(
        self, step: str | None = None, at: datetime | int | None = None
    ) -> Explanation:
        """Why the task has not ended, or why a step of it does not run."""
        return await asyncio.to_thread(self._handle.explain, step, at)

    async def paused(self) -> bool:
        """Whether nothing of the task starts until it is resumed."""
        return await asyncio.to_thread(lambda: self._handle.paused)

    def step(self, name: str) -> AsyncStepHandle:
        """A handle on a step, which need not exist."""
        return AsyncStepHandle(self._handle.step(name))

    async def cancel(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the task and all its steps end."""
        return await _asked(self._handle.cancel, self._handle, asking)

    async def pause(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that nothing of the task starts until it is resumed."""
        return await _asked(self._handle.pause, self._handle, asking)

    async def resume(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that a paused task goes on."""
        return await _asked(self._handle.resume, self._handle, asking)

    async def resolve(self, **asking: Unpack[RequestOptions]) -> Request:
        """Say that the task was settled elsewhere."""
        return await _asked(self._handle.resolve, self._handle, asking)

    async def reset(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that what did not succeed of the task is tried anew."""
        return await _asked(self._handle.reset, self._handle, asking)

    async def fail(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that a blocked task ends in error."""
        return await _asked(self._handle.fail, self._handle, asking)

    async def annotate(self, kind: str, value: object, **noting: Unpack[NoteOptions]) -> None:
        """Attach a JSON value to the task."""
        await asyncio.to_thread(self._handle.annotate, kind, value, **noting)

    async def tag(self, *tags: str, **noting: Unpack[NoteOptions]) -> None:
        """Give the task these tags, beside those that it has."""
        await asyncio.to_thread(self._handle.tag, *tags, **noting)

    async def untag(self, *tags: str, **noting: Unpack[NoteOptions]) -> None:
        """Take these tags from the task."""
        await asyncio.to_thread(self._handle.untag, *tags, **noting)


class AsyncStepHandle:
    """A step, for awaiting. Means and errors are those of StepHandle."""

    def __init__(self, handle: StepHandle) -> None:
        self.name = handle.name
        self._handle = handle

    async def explain(self, at: datetime | int | None = None) -> Explanation:
        """Why the step does not run, or how it ended."""
        return await asyncio.to_thread(self._handle.explain, at)

    async def status(self) -> StepStatus:
        """Where the step stands."""
        return await asyncio.to_thread(lambda: self._handle.status)

    async def cancel(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the step is not done, nor what depends on it."""
        return await _asked(self._handle.cancel, self._handle.task, asking)

    async def reset(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the step is tried anew."""
        return await _asked(self._handle.reset, self._handle.task, asking)

    async def resolve(self, **asking: Unpack[RequestOptions]) -> Request:
        """Say that the step was settled elsewhere, without a result."""
        return await _asked(self._handle.resolve, self._handle.task, asking)

    async def complete(self, result: object = None, **asking: Unpack[RequestOptions]) -> Request:
        """Say that the step was done elsewhere, with this result."""
        return await _asked(partial(self._handle.complete, result), self._handle.task, asking)

    async def skip(self, **asking: Unpack[RequestOptions]) -> Request:
        """Ask that the task does without the step."""
        return await _asked(self._handle.skip, self._handle.task, asking)


Waiter = Callable[[Callable[[], object]], AbstractContextManager[None]]


async def _told(waiter: Waiter, seconds: float) -> None:
    """Wait until the waiter is told, at most so many seconds, without a thread."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    with suppress(TimeoutError), waiter(lambda: loop.call_soon_threadsafe(told.set)):
        await asyncio.wait_for(told.wait(), max(0.0, seconds))


async def _asked(
    verb: Callable[..., Request], handle: TaskHandle, asking: RequestOptions
) -> Request:
    """Ask in a thread, and wait for the answer without one."""

    def ask(**asking: Any) -> list[Request]:
        return [verb(**asking)]

    (request,) = await _all_asked(ask, lambda _: handle, asking, handle.answer_seconds)
    if asking.get("wait") != 0:
        await asyncio.to_thread(request.check_answer, 0.0)
    return request


async def _all_asked(
    ask: Callable[..., list[Request]],
    task: Callable[[UUID], TaskHandle],
    asking: RequestOptions,
    seconds: float,
) -> list[Request]:
    """Ask, of tasks that are only submitted once they are taken on, and wait for all answers.

    `seconds` is how long, where the caller has not said so. Raises RequestUnanswered.
    """
    wait = asking.get("wait")
    seconds = seconds if wait is None else wait
    until = monotonic() + seconds
    while True:
        try:
            requests = await asyncio.to_thread(ask, **{**asking, "wait": 0.0})
            break
        except TaskNotCreated as error:
            if monotonic() >= until:
                raise
            await _told(task(error.task_id).taken_on, until - monotonic())
    for request in requests if wait != 0 else ():
        await _told(request.on_answer, until - monotonic())
        with suppress(RequestDenied):
            await asyncio.to_thread(request.check_answer, seconds)
    return requests


async def _apart(work: Callable[[], T]) -> T:
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
        while (found := await _apart(partial(next, differences, None))) is not None:
            yield found


class AsyncEngine:
    """`Engine` for `async with`. Means and errors are those of Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    async def open(
        cls,
        *,
        workflows: Iterable[WorkflowLike[Any]] = (),
        projections: Iterable[object] = (),
        roles: Iterable[Role] = ALL_ROLES,
        settings: Settings | None = None,
        classifier: Classifier = classify,
    ) -> AsyncEngine:
        """Open the engine and start the roles in this process, as `Engine.open` does."""
        opening = partial(
            Engine.open,
            workflows=workflows,
            projections=projections,
            roles=roles,
            settings=settings,
            classifier=classifier,
        )
        return cls(await _apart(opening))

    @property
    def health(self) -> Mapping[str, Health]:
        """As `Engine.health`; asks nobody, and so need not be awaited."""
        return self._engine.health

    async def wait_for_projection(
        self,
        name: str,
        position: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as without asyncio
    ) -> int:
        """As `Engine.projections.wait_for`."""
        projections = self._engine.projections
        wanted = await asyncio.to_thread(projections.wanted, position)
        until = inf if timeout is None else monotonic() + timeout
        while (reached := await asyncio.to_thread(projections.reached, name)) < wanted:
            left = until - monotonic()
            if left <= 0:
                raise await asyncio.to_thread(projections.behind, name, reached, wanted)
            await asyncio.sleep(min(left, projections.look_seconds))
        return reached

    async def submit(
        self, workflow: WorkflowLike[C], context: C, **options: Any
    ) -> AsyncTaskHandle:
        """Store a task; the options are those of `Engine.submit`.

        `connection` may be one of psycopg's or SQLAlchemy's that is awaited on this loop.
        """
        options["connection"] = on_loop(options.get("connection"))
        return AsyncTaskHandle(
            await asyncio.to_thread(lambda: self._engine.submit(workflow, context, **options))
        )

    async def submit_many(
        self, workflow: WorkflowLike[C], contexts: Sequence[C], **options: Any
    ) -> list[AsyncTaskHandle]:
        """Store many tasks in one transaction; the options are those of `Engine.submit_many`."""
        options["connection"] = on_loop(options.get("connection"))
        handles = await asyncio.to_thread(
            lambda: self._engine.submit_many(workflow, contexts, **options)
        )
        return [AsyncTaskHandle(handle) for handle in handles]

    def task(self, task_id: UUID | str) -> AsyncTaskHandle:
        """A handle on a task, which need not exist."""
        return AsyncTaskHandle(self._engine.task(task_id))

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

    async def cancel_many(
        self, tasks: Iterable[UUID | str], **asking: Unpack[RequestOptions]
    ) -> list[Request]:
        """Ask of all these tasks that they end."""
        ask = partial(self._engine.cancel_many, [*tasks])
        seconds = self._engine.settings.submit.request_timeout_seconds
        return await _all_asked(ask, self._engine.task, asking, seconds)

    async def reset_many(
        self, tasks: Iterable[UUID | str], **asking: Unpack[RequestOptions]
    ) -> list[Request]:
        """Ask of all these tasks that what failed is tried anew."""
        ask = partial(self._engine.reset_many, [*tasks])
        seconds = self._engine.settings.submit.request_timeout_seconds
        return await _all_asked(ask, self._engine.task, asking, seconds)

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
        await _apart(self._engine.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
