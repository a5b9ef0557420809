"""A process that was forked from one with an open engine: what it may do with what it inherited.

The two share the sockets, and each would read the other's answers. So the child is told, and what
it inherited is cut off from its side alone: nothing that it closes, collects or leaves open reaches
the sessions of its parent.
"""

from __future__ import annotations

import os
from weakref import WeakSet

import psycopg

from flowledger.engine.errors import EngineForked


class Opener:
    """The process that opened an engine."""

    def __init__(self) -> None:
        self._process = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether it is this process, and not one that it was forked to."""
        return os.getpid() == self._process

    def require(self) -> None:
        """Go on in the process that opened the engine only. Raises EngineForked."""
        if not self.is_here:
            raise EngineForked(self._process, os.getpid())


# Of the whole process, as a fork is.
_connections: WeakSet[psycopg.Connection[object]] = WeakSet()


def leave_to_parent(connection: psycopg.Connection[object]) -> None:
    """If this process is forked, the connection stays the parent's."""
    _connections.add(connection)


def _cut_off() -> None:
    """In the child: whatever is written to an inherited connection goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for connection in _connections:
        if not connection.closed:
            os.dup2(nowhere, connection.pgconn.socket, inheritable=False)
    os.close(nowhere)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_cut_off)
