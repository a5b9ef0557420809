"""numbered_id: many ids of one."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id

MOST = 32_767


def test_each_is_another_id_of_the_same_time_and_kind(connection: Connection) -> None:
    first = new_id()

    found = [call(connection, "numbered_id", first, number)[0] for number in (1, 2, 255, 256, MOST)]

    assert len(set(found)) == len(found)
    assert {one.bytes[:14] for one in found} == {first.bytes[:14]}
    assert {one.version for one in found} == {first.version}
    assert found == sorted(found)
