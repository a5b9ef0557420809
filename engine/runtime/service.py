"""Threads around the loops: start, wake, back off, stop within the grace."""

from __future__ import annotations

from collections.abc import Callable
from random import uniform
from threading import Event, Thread
from time import monotonic

from flowledger.engine.config import Settings
from flowledger.engine.errors import DatabaseUnavailable, EngineError
from flowledger.engine.ports import Bell
from flowledger.engine.runtime.coordinator import Coordinator
from flowledger.engine.runtime.worker import Worker
from flowledger.engine.telemetry import Signal, logger

STOP = "stop"


class Backoff:
    """Pauses between attempts: doubling, capped, spread."""

    def __init__(self, initial_seconds: float, cap_seconds: float) -> None:
        self._initial = initial_seconds
        self._cap = cap_seconds
        self._next = initial_seconds

    def reset(self) -> None:
        """The attempt succeeded."""
        self._next = self._initial

    def pause(self) -> float:
        """Seconds until the next attempt."""
        pause, self._next = self._next, min(self._next * 2, self._cap)
        return uniform(pause / 2, pause)  # noqa: S311 - spreads reconnects


class Loop:
    """Runs a step function in a thread until it is stopped, whatever the database does."""

    def __init__(
        self, name: str, step: Callable[[frozenset[str]], float], bell: Bell, backoff: Backoff
    ) -> None:
        self._step = step
        self._bell = bell
        self._backoff = backoff
        self._cut_off = False
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"flowledger-{name}", daemon=True)
        self._log = logger(name)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stopping.set()
        self._bell.ring(STOP)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        rung: frozenset[str] = frozenset()
        while not self._stopping.is_set():
            rung = self._bell.wait(self._attempt(rung))

    def _attempt(self, rung: frozenset[str]) -> float:
        try:
            wait = self._step(rung)
        except DatabaseUnavailable as error:
            self._cut_off = True
            self._log.emit(Signal.DATABASE_LOST, error=str(error))
            return self._pause()
        except Exception as error:  # noqa: BLE001 - a loop that ended would stop everything silently
            self._log.emit(Signal.LOOP_FAILED, error=str(error), exc_info=error)
            return self._pause()
        self._backoff.reset()
        if self._cut_off:
            self._cut_off = False
            self._log.emit(Signal.DATABASE_BACK)
        return wait

    def _pause(self) -> float:
        # Bells must not cut the pause short, or a dead database would be asked without rest.
        self._stopping.wait(self._backoff.pause())
        return 0.0


class Service:
    """The roles of this process."""

    def __init__(
        self,
        settings: Settings,
        coordinator: tuple[Coordinator, Bell] | None,
        worker: tuple[Worker, Bell] | None,
        new_bell: Callable[[], Bell],
    ) -> None:
        self._settings = settings
        self._coordinator = coordinator
        self._worker = worker
        self._loops: list[Loop] = []
        self._new_bell = new_bell

    @property
    def roles(self) -> tuple[str, ...]:
        """What this process does."""
        played = {"coordinator": self._coordinator, "worker": self._worker}
        return tuple(role for role, part in played.items() if part is not None)

    def start(self) -> None:
        """Start the loops. Raises DatabaseUnavailable where the worker cannot be registered."""
        if self._worker is not None:
            worker, bell = self._worker
            worker.renew()
            self._loop("lease", lambda _: worker.renew(), self._new_bell())
            self._loop("worker", worker.step, bell)
        if self._coordinator is not None:
            coordinator, bell = self._coordinator
            self._loop("coordinator", coordinator.step, bell)
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Stop within the worker's grace: finish or hand back what runs, resign, leave."""
        if self._worker is not None:
            worker = self._worker[0]
            worker.stop_claiming()
            self._await_idle(worker)
        for loop in reversed(self._loops):
            loop.stop()
        if self._worker is not None:
            self._quietly(self._worker[0].hand_back)
            self._worker[0].close()
        if self._coordinator is not None:
            self._quietly(self._coordinator[0].resign)

    def _await_idle(self, worker: Worker) -> None:
        until = monotonic() + self._settings.worker.grace_seconds
        idle = self._new_bell()
        while worker.busy and monotonic() < until:
            idle.wait(min(0.02, max(0.0, until - monotonic())))

    def _quietly(self, last: Callable[[], None]) -> None:
        try:
            last()
        except EngineError as error:
            logger("service").emit(Signal.DATABASE_LOST, error=str(error))

    def _loop(self, name: str, step: Callable[[frozenset[str]], float], bell: Bell) -> None:
        database = self._settings.database
        backoff = Backoff(database.reconnect_initial_seconds, database.reconnect_cap_seconds)
        self._loops.append(Loop(name, step, bell, backoff))
