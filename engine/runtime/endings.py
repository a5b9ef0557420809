"""Waiting for tasks to end: any number of waiters, one question to the database at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from uuid import UUID

from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.ports import Bell, Tasks
from flowledger.engine.telemetry import Signal, logger

Told = Callable[[], object]


class Endings:
    """Tells waiters when their task has ended.

    Its thread starts with the first waiter, and so does `listen`: every process that listens is
    woken by the server at each commit, so one that only submits does not.
    """

    def __init__(
        self, tasks: Tasks, bell: Bell, poll_seconds: float, listen: Callable[[], None]
    ) -> None:
        self._tasks = tasks
        self._bell = bell
        self._poll = poll_seconds
        self._listen = listen
        self._lock = Lock()
        self._waiting: dict[UUID, list[Told]] = defaultdict(list)
        self._thread: Thread | None = None
        self._stopping = False
        self._log = logger("endings")

    @property
    def stopped(self) -> bool:
        """Whether waiters were let go although their tasks go on."""
        return self._stopping

    def tell(self, task_id: UUID, told: Told) -> None:
        """Call `told`, from another thread, once the task has ended, or waiting has."""
        with self._lock:
            if self._stopping:
                told()
                return
            self._waiting[task_id].append(told)
            if self._thread is None:
                self._listen()
                self._thread = Thread(target=self._run, name="flowledger-endings", daemon=True)
                self._thread.start()
        self._bell.ring("ended")

    def forget(self, task_id: UUID, told: Told) -> None:
        """The waiter has gone."""
        with self._lock:
            waiters = self._waiting.get(task_id, [])
            if told in waiters:
                waiters.remove(told)
            if not waiters:
                self._waiting.pop(task_id, None)

    def stop(self) -> None:
        """Let every waiter go, now and from now on."""
        with self._lock:
            self._stopping = True
        self._bell.ring("ended")
        if self._thread is not None:
            self._thread.join()
        self._tell(list(self._waiting))

    def _run(self) -> None:
        while not self._stopping:
            self._bell.wait(self._poll)
            with self._lock:
                waiting = list(self._waiting)
            if waiting and not self._stopping:
                self._look(waiting)

    def _look(self, waiting: list[UUID]) -> None:
        try:
            ended = self._tasks.ended(waiting)
        except DatabaseUnavailable:
            return  # the next poll asks again
        self._tell(ended)

    def _tell(self, tasks: Iterable[UUID]) -> None:
        with self._lock:
            told = [waiter for task in tasks for waiter in self._waiting.pop(task, [])]
        for waiter in told:
            try:
                waiter()
            except Exception as error:  # noqa: BLE001 - the others must be told all the same
                self._log.emit(Signal.LOOP_FAILED, error=str(error), exc_info=error)
