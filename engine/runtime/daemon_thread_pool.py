"""A pool of daemon threads for plain handlers, which never delays the exit of the process.

A handler that was abandoned, for example after a timeout, keeps its thread for as long as it runs.
The process must be able to end anyway, so the threads are daemons and nobody joins them. The pools
of the standard library are joined at exit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock
from typing import Generic, TypeVar

from flowledger.engine.telemetry.lasting_thread import lasting_thread, tell

J = TypeVar("J")
LOOK, END = True, False


class DaemonThreadPool(Generic[J]):
    """Runs jobs, each in one of at most `limit` threads, which start when they are needed."""

    def __init__(self, run: Callable[[J], None], limit: int, name: str) -> None:
        self._run = run
        self._limit = limit
        self._name = name
        self._jobs: deque[J] = deque()
        self._looks: SimpleQueue[bool] = SimpleQueue()
        self._lock = Lock()
        self._unfinished = 0
        self._started = 0

    def submit(self, jobs: list[J]) -> None:
        """Run the jobs, as many at once as there may be threads. To be called by one thread.

        Where the system has no more threads to give, the jobs wait for those that there are; raises
        RuntimeError where there is none, and the next call tries again.
        """
        with self._lock:
            self._unfinished += len(jobs)
            missing = min(self._limit, self._unfinished) - self._started
        for job in jobs:
            self._jobs.append(job)
            self._looks.put(LOOK)
        for _ in range(missing):
            if not self._start():
                return

    def _start(self) -> bool:
        name = f"{self._name}-{self._started + 1}"
        try:
            lasting_thread(name, self._work, tell, lambda: False).start()
        except RuntimeError:
            if not self._started:
                raise
            return False
        self._started += 1
        return True

    def close(self) -> None:
        """Let idle threads end; those that run a job end after it."""
        for _ in range(self._started):
            self._looks.put(END)

    def _work(self) -> None:
        # Jobs lie beside the queue that is waited on, or what is raised in the wait would lose one.
        goes_on = True
        while goes_on:
            while self._jobs:
                with suppress(IndexError):  # another thread was faster
                    self._do(self._jobs.popleft())
            goes_on = self._looks.get()

    def _do(self, job: J) -> None:
        try:
            self._run(job)
        except BaseException as error:  # noqa: BLE001 - told of, and on to the next job
            tell(error)
        finally:
            with self._lock:
                self._unfinished -= 1
