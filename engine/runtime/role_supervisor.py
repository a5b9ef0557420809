"""The service of a process: starts its loops, reports their health, and shuts them down in time.

Shutdown, whatever the database does. First the worker claims nothing more, and running handlers
have `worker.grace_seconds` to finish and to be reported. Then each loop ends after its current
step, the steps that still run are released, and the coordinator stores its position and resigns.
All of that together has `database.shutdown_timeout_seconds`; after that the process ends without
it. Steps that were not released are lost with the lease, as when the process is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Thread
from time import monotonic
from typing import Protocol

from flowledger.engine.config import Settings
from flowledger.engine.ports.clock_and_wakeup import Wakeup
from flowledger.engine.runtime.loop import Loop
from flowledger.engine.runtime.unserved_templates import UnservedTemplates
from flowledger.engine.runtime.worker.worker import Worker
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff, Health, OutageLog, Outages

LEASE = "lease"


class Leading(Protocol):
    """The coordinator's role: the shards that this process leads, each by a loop of its own."""

    @property
    def outages(self) -> Mapping[str, Outages]:
        """How each shard's loop fares, by its name."""
        ...

    @property
    def telling(self) -> OutageLog:
        """How an outage is told of by all of its loops."""
        ...

    @property
    def parked(self) -> Health:
        """Well if no task of the shards that this process leads is parked."""
        ...

    def step(self, woken_by: frozenset[str]) -> float:
        """Look what is to be led; the seconds until the next look."""
        ...

    def resign(self) -> None:
        """Give up every shard."""
        ...

    def close(self) -> None:
        """Commit nothing any more."""
        ...


class Projecting(Protocol):
    """The role of a projector: projections that are run here."""

    @property
    def refused(self) -> Health:
        """Well if the database took the tables of all projections that are to run here."""
        ...

    def step(self, woken_by: frozenset[str]) -> float:
        """Apply what there is; the seconds until the next look."""
        ...

    def resign(self) -> None:
        """Give up every projection."""
        ...

    def close(self) -> None:
        """Commit nothing any more."""
        ...


class Healthy(Protocol):
    """What has a health of its own."""

    @property
    def health(self) -> Health:
        """How it fares; asks nobody."""
        ...


class Service:
    """The roles of this process."""

    def __init__(  # noqa: PLR0913 - the roles, each with its wakeup
        self,
        settings: Settings,
        coordinator: tuple[Leading, Wakeup] | None,
        worker: tuple[Worker, Wakeup] | None,
        new_bell: Callable[[], Wakeup],
        others: Mapping[str, Healthy] | None = None,
        *,
        projector: tuple[Projecting, Wakeup] | None = None,
        ping: Callable[[], None] | None = None,
        unserved: UnservedTemplates | None = None,
    ) -> None:
        """`others`: what else in this process needs the database, by name, for `health`.

        `ping` asks whether the database answers, for a process that only submits and looks.
        """
        self._settings = settings
        self._coordinator = coordinator
        self._worker = worker
        self._projector = projector
        self._ping = ping
        self._unserved = unserved
        self._loops: list[Loop] = []
        self._new_bell = new_bell
        self._others = dict(others or {})
        self._log = logger("service")

    @property
    def roles(self) -> tuple[str, ...]:
        """What this process does."""
        played = {
            "coordinator": self._coordinator,
            "worker": self._worker,
            "projector": self._projector,
        }
        return tuple(role for role, part in played.items() if part is not None)

    @property
    def health(self) -> Mapping[str, Health]:
        """How each loop of this process fares, by its name, and the worker's handlers."""
        loops = {loop.name: loop.outages for loop in self._loops}
        loops |= self._coordinator[0].outages if self._coordinator is not None else {}
        handlers = {"handlers": self._worker[0].handlers_health} if self._worker is not None else {}
        if self._coordinator is not None:
            handlers["parked"] = self._coordinator[0].parked
        if self._projector is not None:
            handlers["projections"] = self._projector[0].refused
        found = {name: one.health for name, one in {**loops, **self._others}.items()}
        templates = {"templates": self._unserved.health} if self._unserved is not None else {}
        return {**found, **handlers, **templates}

    @property
    def running_steps(self) -> int:
        """How many steps run here."""
        return self._worker[0].running if self._worker is not None else 0

    def on_worker_stuck(self, tell: Callable[[], None]) -> None:
        """Have the worker tell that nothing but abandoned handlers is left in it."""
        if self._worker is not None:
            self._worker[0].on_stuck = tell

    def start(self) -> None:
        """Start the loops. Raises DatabaseUnavailable where the worker cannot be registered."""
        if self._worker is not None:
            worker, wakeup = self._worker
            hurry = self._new_bell()
            worker.on_lease_ended = lambda: hurry.notify(LEASE)
            worker.renew()
            self._loop("lease", lambda _: worker.renew(), hurry)
            self._loop("worker", worker.step, wakeup)
        if self._coordinator is not None:
            coordinator, wakeup = self._coordinator
            self._loop("shards", coordinator.step, wakeup, coordinator.telling)
        if self._unserved is not None:
            self._loop("unserved", self._unserved.step, self._new_bell())
        if self._projector is not None:
            projector, wakeup = self._projector
            self._loop("projector", projector.step, wakeup)
        if not self.roles and self._ping is not None:
            self._loop("database", self._look_at_database, self._new_bell())
        for loop in self._loops:
            loop.start()

    def _look_at_database(self, _: frozenset[str]) -> float:
        if self._ping is not None:
            self._ping()
        return self._settings.database.ping_seconds

    def stop(self) -> None:
        """Stop in time: finish or hand back what runs, resign, leave. Again it does nothing."""
        if self._worker is not None:
            worker = self._worker[0]
            worker.stop_claiming()
            self._await_idle(worker)
        until = monotonic() + self._settings.database.shutdown_timeout_seconds
        ended = {loop.name for loop in reversed(self._loops) if self._end(loop, until)}
        if self._worker is not None:
            worker = self._worker[0]
            # A worker that is still busy in its loop is not to be touched.
            if "worker" in ended:
                self._shut_down("worker", worker.hand_back, until)
            worker.close()
        if self._coordinator is not None:
            coordinator = self._coordinator[0]
            if "shards" in ended:
                self._shut_down("coordinator", coordinator.resign, until)
            coordinator.close()
        if self._projector is not None:
            projector = self._projector[0]
            if "projector" in ended:
                self._shut_down("projector", projector.resign, until)
            projector.close()
        self._loops.clear()
        self._worker = self._coordinator = self._projector = None

    def _await_idle(self, worker: Worker) -> None:
        grace = self._settings.worker.grace_seconds
        until = monotonic() + grace
        if worker.running:
            self._log.emit(Signal.WORKER_STOPPING, steps=worker.running, seconds=grace)
        idle = self._new_bell()
        while worker.busy and monotonic() < until:
            idle.wait(min(0.02, max(0.0, until - monotonic())))

    def _end(self, loop: Loop, until: float) -> bool:
        ended = loop.stop(max(0.0, until - monotonic()))
        if not ended:
            self._log.emit(Signal.LOOP_ABANDONED, loop=loop.name)
        return ended

    def _shut_down(self, role: str, last: Callable[[], None], until: float) -> None:
        """In a thread, as the database may neither answer nor hang up."""
        outages = Outages(role)

        def attempt() -> None:
            try:
                last()
            except BaseException as error:  # noqa: BLE001 - the process ends all the same
                outages.failed(error)

        thread = Thread(target=attempt, name=f"flowledger-{role}-farewell", daemon=True)
        thread.start()
        thread.join(max(0.0, until - monotonic()))
        if thread.is_alive():
            self._log.emit(Signal.LOOP_ABANDONED, loop=role)

    def _loop(
        self,
        name: str,
        step: Callable[[frozenset[str]], float],
        wakeup: Wakeup,
        telling: OutageLog | None = None,
    ) -> None:
        database = self._settings.database
        backoff = Backoff(database.reconnect_initial_seconds, database.reconnect_cap_seconds)
        self._loops.append(Loop(name, step, wakeup, backoff, telling))
