"""Waiters for the ends of tasks and the answers to requests: one query serves all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from threading import Lock, Thread
from uuid import UUID

from flowledger.engine.ports.clock_and_wakeup import Wakeup
from flowledger.engine.runtime.worker.step_attempt_state import running
from flowledger.engine.telemetry.lasting_thread import lasting_thread
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Outages

Callback = Callable[[], object]
Question = Callable[[Sequence[UUID]], Collection[UUID]]
"""A method of the store: for which of these has it come to be?"""

Subject = tuple[Question, UUID]


class Waiters:
    """Tells waiters when what they wait for has come to be: a task's end, a request's answer.

    Its thread starts with the first waiter, and so does `listen`: every process that listens is
    woken by the server at each commit, so one that only submits does not.
    """

    def __init__(self, wakeup: Wakeup, poll_seconds: float, listen: Callable[[], None]) -> None:
        self._wakeup = wakeup
        self._poll = poll_seconds
        self._listen = listen
        self._lock = Lock()
        self._waiting: dict[Subject, list[Callback]] = defaultdict(list)
        self._thread: Thread | None = None
        self._stopping = False
        self._warned: set[tuple[UUID, str]] = set()
        self.outages = Outages("endings")
        self._log = logger("endings")

    @property
    def stopped(self) -> bool:
        """Whether waiters were let go although their tasks go on."""
        return self._stopping

    def warn_handlers(self, task: UUID) -> None:
        """Say once of each step that its handler waits for a task: it keeps its place meanwhile."""
        job = running.get()
        if job is None:
            return
        step = (job.claim.template_id, job.claim.step)
        with self._lock:
            known = step in self._warned
            self._warned.add(step)
        if not known:
            self._log.emit(Signal.HANDLER_WAITS, waits_for=str(task))

    def subscribe(self, question: Question, of: UUID, callback: Callback) -> None:
        """Call `callback`, from another thread, once it has come to be, or waiting has ended."""
        with self._lock:
            if self._stopping:
                callback()
                return
            self._waiting[question, of].append(callback)
            if self._thread is None:
                self._listen()
                self._thread = lasting_thread(
                    "flowledger-endings", self._run, self.outages.failed, lambda: self.stopped
                )
                self.outages.of_thread(self._thread)
                self._thread.start()
        self._wakeup.notify("ended")

    def unsubscribe(self, question: Question, of: UUID, callback: Callback) -> None:
        """The waiter has gone."""
        with self._lock:
            waiters = self._waiting.get((question, of), [])
            if callback in waiters:
                waiters.remove(callback)
            if not waiters:
                self._waiting.pop((question, of), None)

    def stop(self, seconds: float | None = None) -> None:
        """Let every waiter go, now and from now on.

        Waits at most so many seconds for the thread, which may be waiting for a silent server.
        """
        with self._lock:
            self._stopping = True
        self._wakeup.notify("ended")
        if self._thread is not None:
            self._thread.join(seconds)
        self._call(list(self._waiting))

    def _run(self) -> None:
        while not self._stopping:
            self._wakeup.wait(self._poll)
            asked: defaultdict[Question, list[UUID]] = defaultdict(list)
            with self._lock:
                for question, of in self._waiting:
                    asked[question].append(of)
            for question, subjects in asked.items():
                if not self._stopping:
                    self._look(question, subjects)
        self.outages.left()

    def _look(self, question: Question, subjects: list[UUID]) -> None:
        try:
            found = question(subjects)
        except BaseException as error:  # noqa: BLE001 - the next poll asks again
            self.outages.failed(error)
            return
        self.outages.succeeded()
        self._call((question, of) for of in found)

    def _call(self, subjects: Iterable[Subject]) -> None:
        with self._lock:
            told = [waiter for subject in subjects for waiter in self._waiting.pop(subject, [])]
        for waiter in told:
            try:
                waiter()
            except BaseException as error:  # noqa: BLE001 - the others must be told all the same
                self._log.emit(Signal.LOOP_FAILED, error=str(error), exc_info=error)
