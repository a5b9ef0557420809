"""Commits beside the loop: while one is under way, the next batch is read and decided on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from flowledger.engine.ports import Commit
from flowledger.engine.runtime.batch import Batch
from flowledger.engine.telemetry import Signal, logger


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A commit whose outcome is not known yet."""

    batch: Batch
    commit: Commit
    outcome: Future[None]


class Committer:
    """Sends commits, one at a time. Its thread starts with the first that is sent beside."""

    def __init__(self, send: Callable[[Commit], None]) -> None:
        self._send = send
        self._log = logger("coordinator")
        self._thread: ThreadPoolExecutor | None = None

    def here(self, batch: Batch, commit: Commit) -> UnderWay:
        """Send it and wait: nothing else is to be done."""
        outcome: Future[None] = Future()
        try:
            self._send(commit)
        except BaseException as error:  # noqa: BLE001 - raised again where the outcome is asked for
            outcome.set_exception(error)
        else:
            outcome.set_result(None)
        return UnderWay(batch, commit, outcome)

    def beside(self, batch: Batch, commit: Commit) -> UnderWay:
        """Send it and go on."""
        return UnderWay(batch, commit, self._its_thread().submit(self._send, commit))

    def after(self, work: Callable[[], None]) -> None:
        """Do something else when nothing is being sent; what fails is logged."""
        self._its_thread().submit(self._tried, work)

    def _tried(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - nobody asks what came of it
            self._log.emit(Signal.LOOP_FAILED, error=str(error), exc_info=error)

    def _its_thread(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "flowledger-committer")
        return self._thread
