"""A task and its steps for applications that live on an event loop: no wait holds a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, Unpack
from uuid import UUID

from flowledger.engine.client.async_verification import AsyncVerification
from flowledger.engine.client.operator_requests import NoteOptions, RequestOptions
from flowledger.engine.client.replay import Replayed
from flowledger.engine.client.stored_request import Request, asked_again
from flowledger.engine.client.task import StepHandle, StepStatus, TaskHandle, results_of
from flowledger.engine.domain.argument_checks import check_seconds
from flowledger.engine.domain.explain.reasons import Explanation
from flowledger.engine.domain.machine.transitions import TASK_ENDS, TaskState
from flowledger.engine.errors import RequestDenied, TaskNotCreated, TaskUnfinished
from flowledger.engine.events.base import Recorded
from flowledger.engine.ports.client import Progress
from flowledger.engine.ports.patience import answered_within


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
        check_seconds("timeout", timeout)
        until = None if timeout is None else monotonic() + timeout
        with answered_within(timeout):
            state = await self.state()
            if state in TASK_ENDS:
                return state
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            with self._handle.on_end(lambda: loop.call_soon_threadsafe(ended.set)):
                try:
                    left = None if until is None else max(0.0, until - monotonic())
                    await asyncio.wait_for(ended.wait(), left)
                except TimeoutError:
                    raise TaskUnfinished(self.id, timeout or 0.0) from None
            return await asyncio.to_thread(self._handle.end_state)

    async def result(self, timeout: float | None = None) -> Mapping[str, Any]:  # noqa: ASYNC109
        """The result of every step, once the task is complete."""
        check_seconds("timeout", timeout)
        with answered_within(timeout):
            state = await self.wait(timeout)
            history = await self.history()
            return await asyncio.to_thread(results_of, self.id, state, history)

    async def history(self) -> Sequence[Recorded]:
        """Every event of the task, in the order of the log."""
        return await asyncio.to_thread(self._handle.history)

    async def replay(self) -> Replayed:
        """The task folded from its log, event by event."""
        return await asyncio.to_thread(self._handle.replay)

    async def steps(self) -> Mapping[str, StepStatus]:
        """Every step of the task."""
        return await asyncio.to_thread(self._handle.steps)

    async def progress(self, names: int = 0) -> Progress:
        """Steps by state, and the names of at most so many that run."""
        return await asyncio.to_thread(self._handle.progress, names)

    async def explain(
        self, step: str | None = None, at: datetime | int | None = None
    ) -> Explanation:
        """Why the task has not ended, or why a step of it does not run."""
        return await asyncio.to_thread(self._handle.explain, step, at)

    def verify(self) -> AsyncVerification:
        """Hold all that was made from the task's log against it."""
        return AsyncVerification(self._handle.verify())

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
        self.task = AsyncTaskHandle(handle.task)
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

    (request,) = await all_asked(ask, lambda _: handle, asking, handle.answer_seconds)
    if asking.get("timeout") != 0:
        await asyncio.to_thread(request.check_answer, 0.0)
    return request


async def all_asked(
    ask: Callable[..., list[Request]],
    task: Callable[[UUID], TaskHandle],
    asking: RequestOptions,
    seconds: float,
) -> list[Request]:
    """Ask, of tasks that are only submitted once they are taken on, and wait for all answers.

    `seconds` is how long, where the caller has not said so. Raises RequestUnanswered.
    """
    timeout = asking.get("timeout")
    check_seconds("timeout", timeout)
    seconds = seconds if timeout is None else timeout
    until = monotonic() + seconds
    with answered_within(seconds or None):
        while True:
            try:
                requests = await asyncio.to_thread(ask, **{**asking, "timeout": 0.0})
                break
            except TaskNotCreated as error:
                if monotonic() >= until:
                    raise
                await _told(task(error.task_id).taken_on, until - monotonic())
        for request in requests if timeout != 0 else ():
            await _told(request.on_answer, until - monotonic())
            with suppress(RequestDenied), asked_again(requests):
                await asyncio.to_thread(request.check_answer, seconds)
    return requests
