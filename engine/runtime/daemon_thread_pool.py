"""A pool of daemon threads for plain handlers, which never delays the exit of the process.

A handler that was abandoned, for example after a timeout, keeps its thread for as long as it runs.
The process must be able to end anyway, so the threads are daemons and nobody joins them. The pools
of the standard library are joined at exit.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

J = TypeVar("J")


class DaemonThreadPool(Generic[J]):
    """Runs jobs, each in one of at most `limit` threads, which start when they are needed."""

    def __init__(self, run: Callable[[J], None], limit: int, name: str) -> None:
        self._run = run
        self._limit = limit
        self._name = name
        self._jobs: SimpleQueue[J | None] = SimpleQueue()
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
            self._jobs.put(job)
        for _ in range(missing):
            if not self._start():
                return

    def _start(self) -> bool:
        name = f"{self._name}-{self._started + 1}"
        try:
            Thread(target=self._work, name=name, daemon=True).start()
        except RuntimeError:
            if not self._started:
                raise
            return False
        self._started += 1
        return True

    def close(self) -> None:
        """Let idle threads end; those that run a job end after it."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._run(job)
            except BaseException:  # noqa: BLE001 - told of, and the thread goes on to the next job
                told = threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
                threading.excepthook(told)
            finally:
                with self._lock:
                    self._unfinished -= 1
