"""The event loop of coroutine handlers, and a watchdog that abandons a loop that is blocked.

One loop is enough, until a coroutine computes or sleeps without awaiting. Then nothing else on the
loop goes on, no timeout fires there, and nothing on the loop can change that. So a thread checks
from outside whether the loop answers, `LOOKS` times within `worker.event_loop_block_seconds`. A
process that was suspended misses one of these checks only, however long that took.

A loop that answers none of them is abandoned. The coroutine that blocks it keeps its attempt, whose
timeout is the coordinator's. All others are cancelled as soon as the loop answers again, and their
steps are released; what these coroutines still return is dropped. New coroutines run on a new loop.
A loop that died (`shared_loop.py`) is abandoned too, but no coroutine is blamed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Lock

from flowledger.engine.runtime.worker.shared_loop import Escaped, SharedLoop, cancel
from flowledger.engine.runtime.worker.step_attempt_state import Execution, Run
from flowledger.engine.telemetry.lasting_thread import lasting_thread, tell

LOOKS = 4

OnAbandoned = Callable[[Sequence[Execution], Sequence[Execution]], None]


class EventLoops:
    """Runs coroutines, each job's in a task of its own.

    `abandoned` is told which jobs block a loop that was left, and which were taken from it;
    `escaped`, which job an exit came from that would have ended the loop.
    """

    def __init__(
        self, run: Run, abandoned: OnAbandoned, escaped: Escaped, patience_seconds: float
    ) -> None:
        self._run = run
        self._on_abandoned = abandoned
        self._escaped = escaped
        self._pause = patience_seconds / LOOKS
        self._lock = Lock()
        self._loop: SharedLoop | None = None
        # that have not ended, nor were taken
        self._jobs: dict[int, tuple[Execution, SharedLoop]] = {}
        self._closed = Event()

    def start(self, jobs: Sequence[Execution]) -> None:
        """Start all of them, on a loop that is not known to be blocked."""
        with self._lock:
            home = self._loop
            if home is None:
                home = self._loop = SharedLoop(self._escaped, self._abandon)
                watch = partial(self._watch, home)
                lasting_thread("flowledger-watch", watch, tell, self._closed.is_set).start()
            self._jobs.update((id(job), (job, home)) for job in jobs)
            home.call(lambda: home.begin(jobs, self._run))

    def cancel(self, job: Execution) -> None:
        """Cancel the job's task, once its loop gets to it."""
        with self._lock:
            _, home = self._jobs.get(id(job), (job, None))
            if home is not None:
                # On the loop, since only there it is certain whether the coroutine has started.
                home.call(lambda: cancel([job]))

    def ended(self, job: Execution) -> bool:
        """The job's coroutine ends. False where the job was taken from it."""
        with self._lock:
            return self._jobs.pop(id(job), None) is not None

    def close(self) -> None:
        """Start nothing any more."""
        self._closed.set()
        with self._lock:
            home, self._loop = self._loop, None
            self._jobs.clear()
        if home is not None:
            home.call(home.end)

    def _watch(self, home: SharedLoop) -> None:
        missed = 0
        while missed < LOOKS:
            if self._closed.wait(self._pause):
                return
            missed = 0 if home.answers() else missed + 1
        self._abandon(home)

    def _abandon(self, home: SharedLoop) -> None:
        with self._lock:
            if self._loop is not home:
                return
            self._loop = None
            culprit = home.current
            here = [job for job, its in self._jobs.values() if its is home]
            others = [job for job in here if job is not culprit]
            for job in others:
                del self._jobs[id(job)]
        self._on_abandoned([job for job in here if job is culprit], others)
        home.call(lambda: home.leave(others))
