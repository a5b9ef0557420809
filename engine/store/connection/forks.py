"""Cuts inherited connections off in a forked process, so that nothing there reaches the server."""

from __future__ import annotations

import os
from weakref import WeakSet

import psycopg

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
