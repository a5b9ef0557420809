"""advance_shard_position: the position moves by compare and swap."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from support.sql_calls import Connection, call, new_id, now, table
from support.unchecked_rows import plant_on


@pytest.fixture
def epoch(connection: Connection) -> int:
    found: int = call(connection, "acquire_shard_lease", 0, new_id(), 1.0)[0][0]
    return found


def test_the_leader_moves_the_position_and_renews_its_lease(
    connection: Connection, epoch: int
) -> None:
    call(connection, "advance_shard_position", 0, epoch, 0, 7, 60.0)

    ((position, lease_until),) = table(connection, "shard", "position", "lease_until")
    assert position == 7
    assert timedelta(seconds=50) < lease_until - now(connection) <= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("shard", "late", "old"),
    [
        pytest.param(0, 1, 0, id="another epoch"),
        pytest.param(0, 0, 3, id="another position"),
        pytest.param(9, 0, 0, id="another shard"),
    ],
)
def test_who_does_not_lead_from_there_is_refused(
    connection: Connection, epoch: int, shard: int, late: int, old: int
) -> None:
    with pytest.raises(psycopg.DatabaseError, match=f"shard {shard} is not at position {old}") as e:
        call(connection, "advance_shard_position", shard, epoch - late, old, 7, 60.0)

    assert e.value.sqlstate == "FL002"
    assert table(connection, "shard", "position") == [0]


def test_who_led_a_row_that_is_of_no_shard_leads_no_more(
    connection: Connection, epoch: int
) -> None:
    plant_on(connection, "update flowledger.shard set shards = 0")

    with pytest.raises(psycopg.DatabaseError) as refused:
        call(connection, "advance_shard_position", 0, epoch, 0, 7, 60.0)

    assert refused.value.sqlstate == "FL002"


@pytest.mark.parametrize(("told", "stands"), [((), 3), ((-1,), 3), ((None,), None), ((5,), 5)])
def test_what_was_left_behind_stays_unless_the_leader_knows_better(
    connection: Connection, epoch: int, told: tuple[int | None, ...], stands: int | None
) -> None:
    connection.execute("update flowledger.shard set created_from = 3")

    call(connection, "advance_shard_position", 0, epoch, 0, 7, 60.0, *told)

    assert table(connection, "shard", "position", "created_from") == [(7, stands)]
