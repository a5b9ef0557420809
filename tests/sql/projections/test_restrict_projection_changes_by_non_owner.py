"""restrict_projection_changes_by_non_owner: what a role that does not own projections may
change.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from support.generation_rows import happen, make, row
from support.sql_calls import Connection

CHANGE = b"update flowledger.projection set "
OF_ONE = b" where name = 'money'"
MAY = "update (position, failed_position, state, epoch, leader, paused)"


@pytest.fixture
def other(connection: Connection) -> Iterator[Connection]:
    """A session of a role with the columns that an operator has."""
    name = f"other_{uuid4().hex[:12]}"
    make(connection)
    happen(connection, 3)
    connection.execute("update flowledger.projection set position = 0, failed_position = 2")
    connection.execute(f"create role {name}".encode())
    connection.execute(f"grant usage on schema flowledger to {name}".encode())
    connection.execute(f"grant select, {MAY} on flowledger.projection to {name}".encode())
    connection.execute(f"set role {name}".encode())
    yield connection
    connection.execute("reset role")
    connection.execute(f"drop owned by {name}".encode())
    connection.execute(f"drop role {name}".encode())


@pytest.mark.parametrize(
    "change",
    ["paused = true", "position = 2, failed_position = null, epoch = epoch + 1", "leader = null"],
)
def test_it_may_pause_and_pass_over_the_event_that_failed(other: Connection, change: str) -> None:
    other.execute(CHANGE + change.encode() + OF_ONE)


@pytest.mark.parametrize(
    "change",
    [
        "position = 1000000",
        "position = 1",
        "failed_position = 1000000",
        "state = 'retired'",
        "epoch = epoch + 2",
        "leader = gen_random_uuid()",
    ],
)
def test_it_may_neither_move_nor_lead_nor_retire_it(other: Connection, change: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="projection money"):
        other.execute(CHANGE + change.encode() + OF_ONE)


def test_the_owner_may_do_all(connection: Connection) -> None:
    make(connection)

    connection.execute("update flowledger.projection set position = 7 where name = 'money'")

    assert row(connection, "position") == 7
