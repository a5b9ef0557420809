"""begin_batch: many may be in a batch of a generation, as far as this goes."""

from __future__ import annotations

from board import Connection, call


def test_nobody_waits_for_another(connection: Connection, other: Connection) -> None:
    other.execute("set lock_timeout = '1s'")
    with connection.transaction(), other.transaction():
        call(connection, "begin_batch", "money", 1)
        call(other, "begin_batch", "money", 1)
