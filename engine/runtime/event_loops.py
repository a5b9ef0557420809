"""The event loop that coroutines run on, and a watch that leaves it when one of them blocks it.

One loop is enough, until a coroutine computes or sleeps without awaiting. Then nothing else of its
loop goes on, no timeout fires there, and nothing on the loop can be done about it. So a thread
looks from outside whether the loop answers, `LOOKS` times in the patience that it has. A process
that was stopped for a while misses one look, however long that was.

A loop that answers to none is left. The coroutine that blocks it stays what it was: its attempt
goes on, and its timeout is the coordinator's. All others are taken from it, to be handed back; they
are cancelled as soon as the loop comes back, and what they come to then is dropped. What comes
later runs on a new loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any
from weakref import WeakKeyDictionary

from flowledger.engine.runtime.jobs import Job

LOOKS = 4

Run = Callable[[Job], Coroutine[Any, Any, None]]
Left = Callable[[Sequence[Job], Sequence[Job]], None]


class EventLoops:
    """Runs coroutines, each job's in a task of its own.

    `left` is told which jobs block a loop that was left, and which were taken from it.
    """

    def __init__(self, run: Run, left: Left, patience_seconds: float) -> None:
        self._run = run
        self._left = left
        self._pause = patience_seconds / LOOKS
        self._lock = Lock()
        self._home: Home | None = None
        self._jobs: dict[int, tuple[Job, Home]] = {}  # that have not ended, nor were taken
        self._closed = Event()

    def start(self, jobs: Sequence[Job]) -> None:
        """Start all of them, on a loop that is not known to be blocked."""
        with self._lock:
            home = self._home
            if home is None:
                home = self._home = Home()
                watch = Thread(target=self._watch, args=(home,), daemon=True)
                watch.name = "flowledger-watch"
                watch.start()
            self._jobs.update((id(job), (job, home)) for job in jobs)
            home.call(lambda: home.begin(jobs, self._run))

    def cancel(self, job: Job) -> None:
        """Cancel the job's task, once its loop gets to it."""
        with self._lock:
            _, home = self._jobs.get(id(job), (job, None))
            if home is not None:
                # On the loop, since only there it is certain whether the coroutine has started.
                home.call(lambda: cancel([job]))

    def ended(self, job: Job) -> bool:
        """The job's coroutine ends. False where the job was taken from it."""
        with self._lock:
            return self._jobs.pop(id(job), None) is not None

    def close(self) -> None:
        """Start nothing any more."""
        self._closed.set()
        with self._lock:
            home, self._home = self._home, None
            self._jobs.clear()
        if home is not None:
            home.call(home.loop.stop)

    def _watch(self, home: Home) -> None:
        missed = 0
        while missed < LOOKS:
            if self._closed.wait(self._pause):
                return
            missed = 0 if home.answers() else missed + 1
        self._leave(home)

    def _leave(self, home: Home) -> None:
        with self._lock:
            if self._home is not home:
                return
            self._home = None
            culprit = home.current
            here = [job for job, its in self._jobs.values() if its is home]
            others = [job for job in here if job is not culprit]
            for job in others:
                del self._jobs[id(job)]
        self._left([job for job in here if job is culprit], others)
        home.call(lambda: home.leave(others))


class Home:
    """A loop in a thread of its own, and the tasks on it, each of which belongs to a job."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(self._task)
        self._owners: WeakKeyDictionary[asyncio.Future[Any], Job] = WeakKeyDictionary()
        self._open = 0
        self._was_left = False
        self._answered = True
        Thread(target=self._live, name="flowledger-loop", daemon=True).start()

    @property
    def current(self) -> Job | None:
        """Whose code runs at this moment. For any thread."""
        task = asyncio.current_task(self.loop)
        return None if task is None else self._owners.get(task)

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

    def begin(self, jobs: Sequence[Job], run: Run) -> None:
        """On the loop: start the jobs' tasks."""
        for job in jobs:
            self._open += 1
            job.task = self.loop.create_task(run(job))
            self._owners[job.task] = job
            job.task.add_done_callback(self._done)

    def leave(self, jobs: Sequence[Job]) -> None:
        """On the loop, which is back: cancel these, and end with the last task."""
        self._was_left = True
        cancel(jobs)
        self._end()

    def _answer(self) -> None:
        self._answered = True

    def _done(self, _: object) -> None:
        self._open -= 1
        self._end()

    def _end(self) -> None:
        if self._was_left and not self._open:
            self.loop.stop()

    def _task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Task[Any]:
        """A task that a task starts belongs to the same job."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        owner = self.current
        if owner is not None:
            self._owners[task] = owner
        return task

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()


def cancel(jobs: Sequence[Job]) -> None:
    """Cancel the tasks of jobs, where they have any."""
    for job in jobs:
        if job.task is not None:
            job.task.cancel()
