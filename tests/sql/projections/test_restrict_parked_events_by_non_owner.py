"""restrict_parked_events_by_non_owner: which events a role may put aside that does not own them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from support.generation_rows import happen, make
from support.sql_calls import Connection

PARK = (
    "insert into flowledger.parked_event"
    " (name, generation, position, task_id, error, parked_at, skipped_at, requested_action)"
    " values ('money', 1, %s, gen_random_uuid(), 'x', now(), {skipped}, {action})"
)
STANDS_AT = 2


@pytest.fixture
def other(connection: Connection) -> Iterator[Connection]:
    """A session of a role with the columns that an operator has; the projection stands at 2."""
    name = f"other_{uuid4().hex[:12]}"
    make(connection)
    happen(connection, 3)
    connection.execute("update flowledger.projection set position = 0, failed_position = 2")
    connection.execute(PARK.format(skipped="null", action="null").encode(), (1,))
    connection.execute(f"create role {name}".encode())
    connection.execute(f"grant usage on schema flowledger to {name}".encode())
    connection.execute(
        "grant select, insert, update (requested_action, skipped_at)"
        f" on flowledger.parked_event to {name}".encode()
    )
    connection.execute(f"grant select on flowledger.projection to {name}".encode())
    connection.execute(f"set role {name}".encode())
    yield connection
    connection.execute("reset role")
    connection.execute(f"drop owned by {name}".encode())
    connection.execute(f"drop role {name}".encode())


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_it_may_ask_for_what_is_parked(other: Connection, action: str) -> None:
    other.execute("update flowledger.parked_event set requested_action = %s", (action,))


def test_it_may_have_the_event_passed_over_at_which_one_stands(other: Connection) -> None:
    other.execute(PARK.format(skipped="now()", action="null").encode(), (STANDS_AT,))
    other.execute("update flowledger.parked_event set skipped_at = now() where position = 2")


def test_it_may_have_it_passed_over_again_and_what_is_asked_stays(other: Connection) -> None:
    other.execute(PARK.format(skipped="now()", action="null").encode(), (STANDS_AT,))
    other.execute(
        "update flowledger.parked_event set requested_action = 'retry' where position = 2"
    )
    other.execute("update flowledger.parked_event set skipped_at = now() where position = 2")


def test_what_is_passed_over_is_not_said_to_have_been_dropped(other: Connection) -> None:
    other.execute(PARK.format(skipped="now()", action="null").encode(), (STANDS_AT,))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="projection money"):
        other.execute(
            "update flowledger.parked_event set skipped_at = now(), requested_action = 'dropped'"
            " where position = 2"
        )


def test_it_may_not_put_aside_what_is_applied_by_now(other: Connection) -> None:
    ((role,),) = other.execute("select current_user").fetchall()
    other.execute("reset role")
    other.execute("update flowledger.projection set position = failed_position")
    other.execute(f"set role {role}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="projection money"):
        other.execute(PARK.format(skipped="now()", action="null").encode(), (STANDS_AT,))


@pytest.mark.parametrize(
    ("position", "skipped", "action"),
    [
        (STANDS_AT, "null", "null"),
        (STANDS_AT, "now()", "'retry'"),
        (STANDS_AT, "now()", "'dropped'"),
        (3, "now()", "null"),
        (3, "null", "'retry'"),
    ],
)
def test_it_may_put_aside_no_other(
    other: Connection, position: int, skipped: str, action: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="projection money"):
        other.execute(PARK.format(skipped=skipped, action=action).encode(), (position,))


@pytest.mark.parametrize(
    "change", ["requested_action = 'dropped'", "requested_action = null", "skipped_at = now()"]
)
def test_it_may_not_say_what_came_of_one(other: Connection, change: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="projection money"):
        other.execute(b"update flowledger.parked_event set " + change.encode())


def test_the_owner_may(connection: Connection) -> None:
    make(connection)
    connection.execute(PARK.format(skipped="null", action="'dropped'").encode(), (1,))
