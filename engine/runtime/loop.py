"""A thread that calls a step function until it is stopped, and backs off after failures."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from flowledger.engine.ports.clock_and_wakeup import Wakeup
from flowledger.engine.telemetry.lasting_thread import lasting_thread
from flowledger.engine.telemetry.outages import Backoff, OutageLog, Outages

STOP = "stop"


class Loop:
    """Runs a step function in a thread until it is stopped, whatever the database does."""

    def __init__(
        self,
        name: str,
        step: Callable[[frozenset[str]], float],
        wakeup: Wakeup,
        backoff: Backoff,
        telling: OutageLog | None = None,
    ) -> None:
        self.name = name
        self.outages = Outages(name, telling=telling)
        self._step = step
        self._wakeup = wakeup
        self._backoff = backoff
        self._stopping = Event()
        self._thread = lasting_thread(
            f"flowledger-{name}", self._run, self.outages.failed, self._stopping.is_set
        )

    def start(self) -> None:
        """Begin."""
        self.outages.of_thread(self._thread)
        self._thread.start()

    def stop(self, seconds: float | None = None) -> bool:
        """End after the step that is under way; False: it takes longer than so many seconds."""
        self._stopping.set()
        self._wakeup.notify(STOP)
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        woken_by: frozenset[str] = frozenset()
        while not self._stopping.is_set():
            woken_by = self._wakeup.wait(self._attempt(woken_by))
        self.outages.left()

    def _attempt(self, woken_by: frozenset[str]) -> float:
        try:
            wait = self._step(woken_by)
        except BaseException as error:  # noqa: BLE001 - a loop that ended would stop everything
            if not self._stopping.is_set():
                self.outages.failed(error)
            # Notifications must not cut the pause short, or a dead database is asked all the time.
            self._stopping.wait(self._backoff.pause())
            return 0.0
        self._backoff.reset()
        self.outages.succeeded()
        return wait
