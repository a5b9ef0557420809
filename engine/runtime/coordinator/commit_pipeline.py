"""Commits in a background thread, so that the next batch can be read and decided meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from flowledger.engine.runtime.daemon_thread_pool import DaemonThreadPool
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """A commit whose outcome is not known yet."""

    batch: CommitBatch
    commit: Commit
    outcome: Future[None]


class CommitPipeline:
    """Sends commits, one at a time. Its thread starts with the first that is sent beside.

    Nobody waits for that thread at the end of the process: the database may never answer.
    """

    def __init__(self, send: Callable[[Commit], None]) -> None:
        self._send = send
        self._log = logger("coordinator")
        self._thread = DaemonThreadPool[Callable[[], None]](
            lambda work: work(), 1, "flowledger-committer"
        )

    def commit(self, batch: CommitBatch, commit: Commit) -> PendingCommit:
        """Send it and wait: nothing else is to be done."""
        outcome: Future[None] = Future()
        self._try(commit, outcome)
        return PendingCommit(batch, commit, outcome)

    def commit_in_background(self, batch: CommitBatch, commit: Commit) -> PendingCommit:
        """Send it and go on."""
        outcome: Future[None] = Future()
        self._thread.submit([lambda: self._try(commit, outcome)])
        return PendingCommit(batch, commit, outcome)

    def run_when_idle(self, work: Callable[[], None]) -> None:
        """Do something else when nothing is being sent; what fails is logged."""
        self._thread.submit([lambda: self._tried(work)])

    def close(self) -> None:
        """Send no more."""
        self._thread.close()

    def _try(self, commit: Commit, outcome: Future[None]) -> None:
        try:
            self._send(commit)
        except BaseException as error:  # noqa: BLE001 - raised again where the outcome is asked for
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    def _tried(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - nobody asks what came of it
            self._log.emit(Signal.LOOP_FAILED, error=str(error), exc_info=error)
