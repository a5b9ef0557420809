"""set_projection_paused: a projection stands still, with what is built of it, or goes on."""

from __future__ import annotations

from support.generation_rows import lead, make, row
from support.sql_calls import Connection, call, heard


def test_what_serves_and_what_is_built_stands_still(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)

    assert call(connection, "set_projection_paused", "money", True) == [(2, True)]
    assert row(connection, "paused") is row(connection, "paused", generation=2) is True


def test_it_goes_on(connection: Connection) -> None:
    make(connection)
    call(connection, "set_projection_paused", "money", True)

    call(connection, "set_projection_paused", "money", False)

    assert row(connection, "paused") is False


def test_one_that_goes_on_has_tried_its_event_never_yet(connection: Connection) -> None:
    make(connection)
    call(connection, "record_failed_event", "money", 1, lead(connection), 7, "broken")

    call(connection, "set_projection_paused", "money", False)

    assert row(connection, "failures") == 0


def test_there_is_none_of_the_name(connection: Connection) -> None:
    assert call(connection, "set_projection_paused", "money", True) == [(0, False)]


def test_what_is_so_already_is_not_changed(connection: Connection) -> None:
    make(connection)
    assert call(connection, "set_projection_paused", "money", False) == [(1, False)]
    call(connection, "set_projection_paused", "money", True)

    assert call(connection, "set_projection_paused", "money", True) == [(1, False)]
    assert call(connection, "set_projection_paused", "money", False) == [(1, True)]


def test_the_hosts_are_told(connection: Connection, other: Connection) -> None:
    assert heard(connection, "projection", other, "set_projection_paused", "money", True) == [
        "money"
    ]
