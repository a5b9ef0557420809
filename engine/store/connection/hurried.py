"""Sessions of a pool for short questions: those of an application and of commands.

What may take long, as loops, `verify` and `repair` do, takes them from the pool itself.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.connection.pulse import Pulse
from flowledger.engine.store.connection.session import Session


class Sessions(Protocol):
    """What lends sessions of a pool."""

    @property
    def has_room(self) -> bool:
        """Whether a borrower would be given one now."""
        ...

    @property
    def made(self) -> int:
        """How many were made so far."""
        ...

    @property
    def pulse(self) -> Pulse:
        """What the roles that share these sessions renew together."""
        ...

    def open(self, wait: bool = False, timeout: float = 0.0) -> None:  # noqa: FBT001, FBT002
        """It is open."""

    def connection(self) -> AbstractContextManager[Session]:
        """Within the block, a session."""
        ...


class HurriedPool:
    """The same sessions for short questions, on which the server may say nothing for less long."""

    def __init__(self, pool: Pool, answer_seconds: float) -> None:
        self._pool = pool
        self._answer_seconds = answer_seconds

    @property
    def has_room(self) -> bool:
        """As the pool's."""
        return self._pool.has_room

    @property
    def made(self) -> int:
        """As the pool's."""
        return self._pool.made

    @property
    def pulse(self) -> Pulse:
        """As the pool's."""
        return self._pool.pulse

    def open(self, wait: bool = False, timeout: float = 0.0) -> None:  # noqa: FBT001, FBT002
        """It is open."""

    def connection(self) -> AbstractContextManager[Session]:
        """As the pool's."""
        return self._pool.connection(self._answer_seconds)
