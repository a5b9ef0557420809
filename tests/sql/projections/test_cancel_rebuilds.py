"""cancel_rebuilds: what is being built is given up, what serves is not."""

from __future__ import annotations

from support.generation_rows import lead, make, row
from support.sql_calls import Connection, call, heard, new_id


def test_what_is_built_is_retired(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    lead(connection, 2)

    assert call(connection, "cancel_rebuilds", "money") == [1]
    assert row(connection, "state", "leader", generation=2) == ("retired", None)
    assert row(connection, "state") == "serving"


def test_rebuilds_of_tasks_are_cancelled(connection: Connection) -> None:
    make(connection)
    number = call(connection, "request_tasks_rebuild", "money", new_id(), None)[0]
    other = call(connection, "request_tasks_rebuild", "others", new_id(), None)[0]

    assert call(connection, "cancel_rebuilds", "money") == [1]
    assert call(connection, "task_rebuild_request_status", number)[0][0] == "cancelled"
    assert call(connection, "task_rebuild_request_status", other)[0][0] == "asked"


def test_where_nothing_is_built_nothing_is_given_up(connection: Connection) -> None:
    make(connection)

    assert call(connection, "cancel_rebuilds", "money") == [0]


def test_the_hosts_are_told(connection: Connection, other: Connection) -> None:
    assert heard(connection, "projection", other, "cancel_rebuilds", "money") == ["money"]
