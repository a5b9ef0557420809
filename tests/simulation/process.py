"""A process that may be killed at any point: its loops, its wakeups, its dealings with the
store."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

from simulation.agenda import Crash, Violation, World

from flowledger.engine.errors import DatabaseUnavailable, EngineError
from flowledger.engine.ports.coordinator import Due
from flowledger.engine.ports.worker import Exchange

P = TypeVar("P")
BACK_OFF_SECONDS = (0.05, 2.0)
LEAST_PAUSE_SECONDS = 0.001
CHANGES = frozenset(
    {
        *(
            "lead",
            "resign",
            "commit",
            "commit_jointly",
            "renew",
            "retire",
            "exchange",
            "checkpoint",
        ),
        *("elect_isolated", "set_stuck", "submit", "request"),
    }
)
UNTOLD = frozenset(
    {
        *("lead", "renew", "template", "contexts", "results", "task_events"),
        *("elect_isolated", "claim_statuses", "safe_position", "limits", "limits_now", "known"),
    }
)
NOTHING_NEW: tuple[object, ...] = ([], (), {}, Exchange([], frozenset()))


def nothing() -> None:
    """Nothing happens."""


class Process:
    """What dies together."""

    def __init__(self, world: World, name: str, *, immortal: bool = False) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.loops: list[SteppedLoop] = []
        self.buried: Callable[[], None] = nothing
        self.leave: Callable[[], None] = nothing
        self._immortal = immortal

    def die(self) -> None:
        """Killed: nothing of it runs any more, but what it had sent may still arrive."""
        if self.alive:
            self.alive = False
            self.world.note(self.name, "dies")
            self.buried()

    def live(self) -> None:
        """Raises Crash where it is dead."""
        if not self.alive:
            raise Crash(self.name)

    def reached(self, point: str) -> None:
        """A fault point: the process may be killed there."""
        self.perhaps_crash(point)

    def perhaps_crash(self, where: str) -> None:
        """The process may be killed."""
        self.live()
        if not self._immortal and self.world.chance(self.world.troubles.crash):
            self.world.note(self.name, "is killed", where)
            self.die()
            raise Crash(where)

    def wired(self, port: P) -> P:
        """A port whose calls go over a network that fails, is cut, and is slow."""
        return cast("P", Wire(self, port))


class Wire:
    """Stands before a port; each call may fail, be cut after it was done, and be raced."""

    def __init__(self, process: Process, port: Any) -> None:
        self._process = process
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **options: Any) -> Any:
            return self._call(name, lambda: self._made(name, method, arguments, options))

        return call

    def _call(self, name: str, made: Callable[[], Any]) -> Any:
        process, world = self._process, self._process.world
        try:
            process.perhaps_crash(f"before {name}")
            world.race()
            process.live()
            self._perhaps_fail(name, world.troubles.fail)
        except (Crash, DatabaseUnavailable):
            self._perhaps_later(name, made)
            raise
        answer = made()
        world.race()
        process.perhaps_crash(f"after {name}")
        self._perhaps_fail(name, world.troubles.cut)
        return answer

    def _perhaps_fail(self, name: str, probability: float) -> None:
        world = self._process.world
        if world.is_down or world.chance(probability):
            self._process.world.note(self._process.name, name, "is cut off")
            raise DatabaseUnavailable(f"{name} was cut off")

    def _perhaps_later(self, name: str, made: Callable[[], Any]) -> None:
        """Who called is cut off, and the server does it all the same, perhaps much later."""
        world = self._process.world
        if name in CHANGES and world.chance(world.troubles.limbo):
            world.after(world.random.uniform(0, 20), lambda: self._arrive(made))

    @staticmethod
    def _arrive(made: Callable[[], Any]) -> None:
        with suppress(EngineError):
            made()

    def _made(self, name: str, method: Any, arguments: Any, options: Any) -> Any:
        note = self._process.world.note
        try:
            answer = method(*arguments, **options)
        except EngineError as error:
            note(self._process.name, name, "raises", repr(error))
            raise
        idle = isinstance(answer, Due) and not answer.timers and not answer.lost
        if name not in UNTOLD and answer not in NOTHING_NEW and not idle:
            note(self._process.name, name, arguments, "->", answer)
        return answer


class SteppedLoop:
    """Calls a step function as `Loop` does: when its wait is over, or earlier when a wakeup
    rings."""

    def __init__(
        self, process: Process, step: Callable[[frozenset[str]], float], *channels: str
    ) -> None:
        self._process = process
        self._step = step
        self.channels = frozenset(channels)
        self._woken_by: set[str] = set()
        self._next = 0.0
        self._busy = False
        self._backing_off = False
        process.loops.append(self)
        self._wake(0.0)

    @property
    def busy(self) -> bool:
        """Whether a step, or what it waits for, is under way."""
        return self._busy

    def notify(self, channel: str) -> None:
        """A wakeup rings: the next step comes at once, unless it backs off."""
        self._woken_by.add(channel)
        if not self._backing_off:
            self._wake(0.0)

    def wait(self, seconds: float) -> frozenset[str]:
        """Only threads wait; loops here return instead."""
        raise NotImplementedError

    def _wake(self, seconds: float) -> None:
        world = self._process.world
        self._next = due = world.elapsed + seconds

        def sort_key() -> None:
            if self._next == due:
                self._turn()

        world.after(seconds, sort_key)

    @contextmanager
    def held(self) -> Generator[None]:
        """It takes no turn meanwhile."""
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before
            if not before:
                self._wake(0.0)

    @contextmanager
    def waiting(self) -> Generator[None]:
        """It waits for its turn meanwhile, if there is any; elsewhere it sleeps on."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            if self._woken_by or self._next <= self._process.world.elapsed:
                self._wake(0.0)

    def _turn(self) -> None:
        if not self._process.alive or self._busy:
            return
        self._busy, self._backing_off = True, False
        woken_by, self._woken_by = frozenset(self._woken_by), set()
        try:
            seconds = self._step(woken_by)
        except DatabaseUnavailable:
            self._backing_off = True
            seconds = self._process.world.random.uniform(*BACK_OFF_SECONDS)
        except Crash:
            self._process.die()
            return
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"{self._process.name} fails: {error!r}") from error
        finally:
            self._busy = False
        self._rest(seconds)

    def _rest(self, seconds: float) -> None:
        woken_by = self._woken_by and not self._backing_off
        self._wake(0.0 if woken_by else max(seconds, LEAST_PAUSE_SECONDS))
