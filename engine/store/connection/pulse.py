"""What the roles of a process renew again and again goes into one transaction of all of them.

Each role asks by itself, in its own thread and at its own time: that it is there, its leases, who
else is there. Whoever asks takes along what another would ask before its own next time. The other
finds its answer when it asks, and sends nothing.

- What was taken along is not again before its role has taken the answer: the leases of a role whose
  thread hangs run out as if nobody else were there.
- A lock that one of them waits for, or a row of which the server refuses something, must not cost
  the others their leases: then each asks alone, for a while.
- A role that leaves is taken along no more, from before it says so in the database.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any, TypeVar, cast

from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.session import Session

T = TypeVar("T")
Ask = Callable[[Session], T]
Lend = Callable[[], AbstractContextManager[Session]]

APART_SECONDS = 30.0
"""So long each role asks alone after a transaction of several has failed."""

LOCK = "select set_config('lock_timeout', '100ms', true)"
"""So long does a transaction of several wait for a lock."""


@dataclass(slots=True)
class Part:
    """What a role asked last, when, and how often it asks; the answer where it has not read it."""

    ask: Ask[Any]
    every: float
    asked: float
    rides: bool = True
    answer: tuple[Any] | None = None


class Pulse:
    """The transactions of a process in which its roles say that they are there. For any thread."""

    def __init__(self, lend: Lend, elapsed: Callable[[], float] = monotonic) -> None:
        """`lend` gives a session within a block."""
        self._lend = lend
        self._elapsed = elapsed
        self._parts: dict[str, Part] = {}
        self._lock = Lock()
        self._apart_until = 0.0

    def beat(
        self, role: str, ask: Ask[T], every: float, *, fresh: bool = True, rides: bool = True
    ) -> tuple[T, float]:
        """The answer of `ask`, which may be run again for the role, and how many seconds old it is.

        `every`: so many seconds until the role asks again. Not `fresh`: one that was taken along by
        another will do. Not `rides`: it is never taken along. Raises what `ask` does.
        """
        with self._lock:
            now = self._elapsed()
            known = self._parts.get(role)
            if known is not None and known.answer is not None:
                (answer,), age, known.answer = known.answer, now - known.asked, None
                if not fresh and age < every:
                    known.ask, known.every = ask, every
                    return cast("T", answer), age
            part = self._parts[role] = Part(ask, every, now, rides)
            found = self._jointly(role, part)
        if found is None:
            found = (self._alone(ask),)
        return cast("T", found[0]), 0.0

    def leave(self, role: str) -> None:
        """The role is there no more: when this returns, nothing is renewed for it any more."""
        with self._lock:
            self._parts.pop(role, None)

    def _jointly(self, role: str, part: Part) -> tuple[Any] | None:
        """The answer, with those of others; None where it is to be asked for alone."""
        now = part.asked
        due = [
            (name, other)
            for name, other in self._parts.items()
            if other.rides
            and other.answer is None
            and other.asked + other.every <= now + part.every
        ]
        if now < self._apart_until or not any(name != role for name, _ in due):
            return None
        together = dict(sorted([(role, part), *due]))
        try:
            answers = self._transaction(together)
        except Exception:  # noqa: BLE001 - asked alone, it says so itself
            self._apart_until = now + APART_SECONDS
            return None
        for name, answer in answers.items():
            if name != role:
                together[name].asked, together[name].answer = now, (answer,)
        return (answers[role],)

    def _transaction(self, together: dict[str, Part]) -> dict[str, Any]:
        with translate_errors(), self._lend() as connection, connection.transaction():
            connection.execute(LOCK)
            return {name: part.ask(connection) for name, part in together.items()}

    def _alone(self, ask: Ask[T]) -> T:
        with translate_errors(), self._lend() as connection, connection.transaction():
            return ask(connection)
