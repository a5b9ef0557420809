"""slots_in_use: the counts of some keys."""

from __future__ import annotations

from flowledger.engine.store.connection.arrays import TextArray
from support.sql_calls import Connection, call


def test_a_key_without_a_row_has_none_in_use(connection: Connection) -> None:
    for key, more in (("a", 2), ("b", 1)):
        call(connection, "increment_slot_count", key, more, 0)

    found = call(connection, "slots_in_use", TextArray(["a", "c"]))

    assert sorted(found) == [("a", 2), ("c", 0)]
