"""projections_behind_position: which projections do not have an event yet, and why."""

from __future__ import annotations

from typing import Any

import pytest

from support.sql_calls import Connection, Row, append, call, new_id


@pytest.fixture
def head(connection: Connection) -> int:
    """The position of the last event; there are no other projections."""
    connection.execute("delete from flowledger.projection")
    return append(connection, Row(new_id()))[0]


def projection(connection: Connection, name: str, **changed: Any) -> None:
    row = {"state": "serving", "epoch": 1, "position": 0, "lease": "1 hour", "leader": new_id()}
    row = {"paused": False, "failed_position": None, "failure": None, **row, **changed}
    connection.execute(
        "insert into flowledger.projection (name, generation, version, state, tables, epoch,"
        " position, leader, lease_until, lease_seconds, paused, failed_position, failure,"
        " created_at, moved_at)"
        " values (%(name)s, 1, 1, %(state)s, '', %(epoch)s, %(position)s, %(leader)s,"
        " flowledger.clock() + %(lease)s::interval, 3600, %(paused)s, %(failed_position)s,"
        " %(failure)s, flowledger.clock(), flowledger.clock())",
        {"name": name, **row},
    )


def test_each_tells_why_it_stands(connection: Connection, head: int) -> None:
    projection(connection, "paused", paused=True)
    projection(connection, "failed", failed_position=head, failure="no such column")
    projection(connection, "left", leader=None)
    projection(connection, "silent", lease="-1 second")
    projection(connection, "running")

    assert call(connection, "projections_behind_position", head, 0.0) == [
        ("failed", 0, "event_failed", head, "no such column"),
        ("left", 0, "no_host", None, None),
        ("paused", 0, "paused", None, None),
        ("running", 0, "running", None, None),
        ("silent", 0, "no_host", None, None),
    ]


def test_what_has_the_event_or_never_ran_or_does_not_serve_is_not_behind(
    connection: Connection, head: int
) -> None:
    projection(connection, "there", position=head, leader=None)
    projection(connection, "never_led", epoch=0, leader=None)
    projection(connection, "built", state="building", leader=None)

    assert call(connection, "projections_behind_position", head, 0.0) == []


def test_one_on_its_way_is_given_some_time(connection: Connection, head: int) -> None:
    projection(connection, "running")

    assert call(connection, "projections_behind_position", head, 3_600.0) == []
