"""The coordinator's thread for commits, as events on the agenda."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from simulation.agenda import Crash
from simulation.process import Process, SteppedLoop

from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from flowledger.engine.runtime.coordinator.commit_pipeline import CommitPipeline, PendingCommit

LONGEST_SECONDS = 2.0


class AgendaPipeline(CommitPipeline):
    """Sends a commit at some later moment, or when its outcome is asked for."""

    def __init__(self, process: Process, send: Callable[[Commit], None]) -> None:
        super().__init__(send)
        self._process = process
        self._waiting: list[Callable[[], None]] = []
        self.loop: SteppedLoop | None = None

    def commit_in_background(self, batch: CommitBatch, commit: Commit) -> PendingCommit:
        """Put it on the agenda and go on."""
        outcome = Outcome(self, self._process)
        self._put(lambda: self._try(commit, outcome))
        return PendingCommit(batch, commit, outcome)

    def run_when_idle(self, work: Callable[[], None]) -> None:
        """Put something else on the agenda, behind what is there."""
        self._put(lambda: self._tried(work))

    def work(self) -> None:
        """Do what waits, in order. Nothing where the process is dead.

        Meanwhile its loop is not stepped: it could ask for the outcome, and wait for ever.
        """
        while self._process.alive and self._waiting and self.loop:
            first = self._waiting.pop(0)
            with self.loop.held():
                first()

    def _tried(self, work: Callable[[], None]) -> None:
        try:
            super()._tried(work)
        except Crash:
            self._process.die()

    def _put(self, work: Callable[[], None]) -> None:
        self._waiting.append(work)
        world = self._process.world
        world.after(world.random.random() * LONGEST_SECONDS, self.work)


class Outcome(Future[None]):
    """What comes of a commit; whoever asks makes it happen."""

    def __init__(self, committer: AgendaPipeline, process: Process) -> None:
        super().__init__()
        self._committer = committer
        self._process = process

    def result(self, timeout: float | None = None) -> None:
        """What came of it. Raises Crash where the process is dead."""
        self._committer.work()
        self._process.live()
        if not self.done():
            raise AssertionError("it is under way, and the one thread would wait for itself")
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What went wrong; None, too, where the process is dead."""
        self._committer.work()
        return super().exception(timeout) if self.done() else None
