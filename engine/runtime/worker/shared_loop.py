"""The event loop that the coroutines of many steps share, and which step code on it belongs to.

What a step does to the loop affects all others on it, so the loop is guarded. Calls that would end
it, or change it for all, are refused (`REFUSED`) with an error for the caller. A task belongs to
the step that started it, and no step can cancel the main task of another step. A step may cancel
any other task, since connection pools do so, but that is recorded: if it cancels another step's
work, that step is not said to have failed.

An exit or an interrupt raised in a task or callback stops the loop, as in asyncio. The loop is then
run again, and the step that the code belongs to, by the context of its tasks and callbacks, fails
with that error. If the step cannot be found, the error is logged and nothing follows.

A step's code may fork. In the child the loop, whose selector is the parent's as well, stops when
the step's task waits, and the child ends.

A loop that cannot run on, for example because its selector was closed, is dead: the steps on it are
released.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import Context
from threading import Thread
from types import FrameType, TracebackType
from typing import Any, NoReturn
from weakref import WeakSet

from flowledger.engine.ports.fork_guard import end_fork
from flowledger.engine.runtime.worker.step_attempt_state import Execution, Run, running

REFUSED = (
    "close",
    "set_default_executor",
    "set_exception_handler",
    "set_task_factory",
    "shutdown_asyncgens",
    "shutdown_default_executor",
    "stop",
)
RUNS_A_CALLBACK = asyncio.Handle._run.__code__  # noqa: SLF001 - to know it in a stack of frames

Escaped = Callable[[Execution | None, BaseException], None]


class OwnedTask(asyncio.Task[Any]):
    """A task that knows which step it belongs to."""

    def __init__(self, coroutine: Any, *, context: Context | None = None, **options: Any) -> None:
        self.owner = running.get() if context is None else context.get(running)
        super().__init__(coroutine, context=context, **options)

    def cancel(self, msg: Any | None = None) -> bool:
        """As asyncio's. Raises RuntimeError where another step's main task would be cancelled."""
        owner, by = self.owner, running.get()
        if owner is None or owner is by or owner.task is None or owner.task.done():
            return super().cancel(msg)
        if by is not None and self is owner.task:
            raise RuntimeError(
                f"cancel() is refused: the task is that of step {owner.claim.step!r}, which runs on"
                " the same event loop"
            )
        owner.disturbed = True
        return super().cancel(msg)

    def stop(self) -> None:
        """Cancel it, whoever asks."""
        super().cancel()


class SharedLoop:
    """A loop in a thread of its own, and the tasks on it, each of which belongs to a job.

    `escaped` is told what ended the running of the loop, and whose it was; `died`, that the loop
    cannot run on.
    """

    def __init__(self, escaped: Escaped, died: Callable[[SharedLoop], None]) -> None:
        self._escaped = escaped
        self._died = died
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(_task)
        self._stop, self._close = self.loop.stop, self.loop.close
        for name in REFUSED:
            setattr(self.loop, name, _refusal(name))
        self._open = 0
        self._was_left = False
        self._ends = False
        self._answered = True
        self._process = os.getpid()
        self._thread = Thread(target=self._live, name="flowledger-loop", daemon=True)
        self._thread.start()
        _loops.add(self)

    @property
    def current(self) -> Execution | None:
        """Whose code runs at this moment. For any thread."""
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        frame = frames.get(self._thread.ident or 0)
        found = next((job for job in _jobs_of(_frames_above(frame)) if job is not None), None)
        task = None if found is not None else asyncio.current_task(self.loop)
        return task.owner if isinstance(task, OwnedTask) else found

    def call(self, what: Callable[[], object]) -> None:
        """Have the loop call it when it gets to it, where it has not ended. For any thread."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(what)

    def answers(self) -> bool:
        """Whether the loop has answered since it was asked last; it is asked again."""
        if self._answered:
            self._answered = False
            self.call(self._answer)
            return True
        return False

    def begin(self, jobs: Sequence[Execution], run: Run) -> None:
        """On the loop: start the jobs' tasks, each in a context of its own."""
        for job in jobs:
            self._open += 1
            context = Context()
            context.run(running.set, job)
            job.task = self.loop.create_task(run(job), context=context)
            job.task.add_done_callback(self._done)

    def leave(self, jobs: Sequence[Execution]) -> None:
        """On the loop, which is back: cancel these, and end with the last task."""
        self._was_left = True
        cancel(jobs)
        self._end_with_the_last()

    def end(self) -> None:
        """On the loop: run no more."""
        self._ends = True
        self._stop()

    def stop_in_fork(self) -> None:
        """In a process that was forked by code that runs on the loop: let nothing else run."""
        if threading.get_ident() == self._thread.ident:
            self._stop()

    def _answer(self) -> None:
        self._answered = True

    def _done(self, _: object) -> None:
        self._open -= 1
        self._end_with_the_last()

    def _end_with_the_last(self) -> None:
        if self._was_left and not self._open:
            self.end()

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._ends:
                self._run()
        except BaseException as error:  # noqa: BLE001 - whatever user code did to it, it is told of
            self._escaped(None, error)
        with suppress(Exception):
            self._close()
        if not self._ends:
            self._died(self)

    def _run(self) -> None:
        """Run until it ends, or until something escapes; any other error is the loop's own."""
        try:
            self.loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            frames = _frames_of(error.__traceback__)
            owner = next((job for job in _jobs_of(frames) if job is not None), None)
            self._escaped(owner, error)
            if owner is not None:
                owner.escaped = error
                cancel([owner])
        if os.getpid() != self._process:
            end_fork(RuntimeError("a step's coroutine cannot wait in a fork of its process"))


def cancel(jobs: Sequence[Execution]) -> None:
    """Cancel the tasks of jobs, where they have any."""
    for job in jobs:
        if isinstance(job.task, OwnedTask):
            job.task.stop()


_loops: WeakSet[SharedLoop] = WeakSet()  # of the whole process, as a fork is


def _stop_in_fork() -> None:
    for loop in _loops:
        loop.stop_in_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop_in_fork)


def _task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    return OwnedTask(coroutine, loop=loop, **options)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"{name}() is refused: other steps run on this event loop")

    return refuse


def _frames_of(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _frames_above(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _jobs_of(frames: Iterator[FrameType]) -> Iterator[Execution | None]:
    """Whose the callbacks are that these frames run; every step of a task is one."""
    for frame in frames:
        if frame.f_code is RUNS_A_CALLBACK:
            context: Context | None = getattr(frame.f_locals["self"], "_context", None)
            yield None if context is None else context.get(running)
